# Watching, explaining, objects.

== a watch is answered when something changes
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c get one
    [     0] c < VIEW one delivered by "a"
c watch one wait=60000
a start one
    [     0] c < VIEW one running attempt 1 by "a"
c watch one wait=60000
wait 1000
a progress one percent=50 text=half
    [  1000] c < VIEW one running attempt 1 50% by "a" saying "half"
c watch one wait=60000 result
a done one data=r
    [  1000] a < SETTLED one e1
    [  1000] c < VIEW one completed attempt 1 100% reason done by "a" result "r"

== a watch of an older version is answered at once
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c watch one version=0 wait=60000
    [     0] c < VIEW one queued place 1

== a watch ends with its time
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c watch one version=9 wait=5000
wait 5000
    [  5000] c < VIEW one queued place 1

== a watch of an ended task
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one data=r
    [     0] a < SETTLED one e1
wait 10
c watch one version=99 wait=60000 result
    [    10] c < VIEW one completed attempt 1 100% reason done by "a" result "r"

== a watcher shows nothing that a crash could take back
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
d get one
    [     0] d < VIEW one delivered by "a"
d watch one wait=60000
hold
a start one
go
    [     0] d < VIEW one running attempt 1 by "a"

== why does it not run: no worker
client c
    [     0] c < WELCOME
c submit one labels=language=de
    [     0] c < SUBMITTED one
c explain one
    [     0] c < ANSWER
             state open queued
             due open now
             queue open not paused
             limit open 0 running of any number
             rate open no limit
             capacity open 0 running in all, at most 200000
             workers shut 0 serve this queue and type, 0 claims wait
             labels shut 0 of 0 serve language=de
             health shut 0 of 0 are linked and not draining
             slots shut 0 of 0 have a free slot
             place open 1 in its lane, 1 queued there

== why does it not run: no worker speaks its language
client c
    [     0] c < WELCOME
worker a queues=q labels=language=en
    [     0] a < WELCOME
c submit one labels=language=de
    [     0] c < SUBMITTED one
c explain one
    [     0] c < ANSWER
             state open queued
             due open now
             queue open not paused
             limit open 0 running of any number
             rate open no limit
             capacity open 0 running in all, at most 200000
             workers open 1 serve this queue and type, 0 claims wait
             labels shut 0 of 1 serve language=de
             health shut 0 of 0 are linked and not draining
             slots shut 0 of 0 have a free slot
             place open 1 in its lane, 1 queued there

== why does it not run: all are busy
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c submit two
    [     0] c < SUBMITTED two
c explain two
    [     0] c < ANSWER
             state open queued
             due open now
             queue open not paused
             limit open 1 running of any number
             rate open no limit
             capacity open 1 running in all, at most 200000
             workers open 1 serve this queue and type, 0 claims wait
             labels open 1 of 1 serve tasks without labels
             health open 1 of 1 are linked and not draining
             slots shut 0 of 1 have a free slot
             place open 1 in its lane, 1 queued there
c explain one
    [     0] c < ANSWER
             state open delivered
             lease open held by a, epoch 3

== why does it not run: it waits for its time
client c
    [     0] c < WELCOME
c submit one delay=5000
    [     0] c < SUBMITTED one
c explain one
    [     0] c < ANSWER
             state open scheduled
             due shut in 5000 ms
             queue open not paused
             limit open 0 running of any number
             rate open no limit
             capacity open 0 running in all, at most 200000
             workers shut 0 serve this queue and type, 0 claims wait
             labels shut 0 of 0 serve tasks without labels
             health shut 0 of 0 are linked and not draining
             slots shut 0 of 0 have a free slot
             place open 0 in its lane, 0 queued there

== why does it not run: it is over
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c cancel one
    [     0] c < VIEW one cancelled reason cancelled
c explain one
    [     0] c < ANSWER
             state shut cancelled, reason cancelled

== objects are created, replaced, read and dropped
client c
    [     0] c < WELCOME
c put n body=one create
    [     0] c < ANSWER n v1 one
c fetch n
    [     0] c < ANSWER n v1 one
c put n body=two create
    [     0] c < ANSWER CONFLICT
c put n body=two replace
    [     0] c < ANSWER n v2 two
c fetch n
    [     0] c < ANSWER n v2 two
c put m body=x replace
    [     0] c < ANSWER NOT_FOUND
c drop n
    [     0] c < ANSWER n v2 two
c fetch n
    [     0] c < ANSWER NOT_FOUND
c drop n
    [     0] c < ANSWER NOT_FOUND
c put n kind=nonsense body=x
    [     0] c < ANSWER VALIDATION_ERROR
c put n kind=user body=x
    [     0] c < ANSWER FORBIDDEN

== an object of the open group is seen by the next verb
client c
    [     0] c < WELCOME
hold
c put n body=one
c fetch n
c drop n
c fetch n
go
    [     0] c < ANSWER n v1 one
    [     0] c < ANSWER n v1 one
    [     0] c < ANSWER n v1 one
    [     0] c < ANSWER NOT_FOUND
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c fetch n
    [     0] c < ANSWER NOT_FOUND

== another brand's object is not there
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c put n body=one
    [     0] c < ANSWER n v1 one
d fetch n
    [     0] d < ANSWER NOT_FOUND
