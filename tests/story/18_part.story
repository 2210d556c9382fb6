# Parts: pieces of a result that are final before the task ends.

== a part is numbered, answered when it is written, and read from any number on
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
hold
a part one text=hello
a part one text=world
go
    [     0] a < ANSWER
    [     0] a < ANSWER
c get one after=0
    [     0] c < VIEW one running attempt 1 by "a"
             part 1 of 2 "hello"
             part 2 of 2 "world"
c get one after=1
    [     0] c < VIEW one running attempt 1 by "a"
             part 2 of 2 "world"
c get one after=2
    [     0] c < VIEW one running attempt 1 by "a"
c get one
    [     0] c < VIEW one running attempt 1 by "a"

== one that is there already counts once, one that leaves a gap is refused
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a part one seq=1 text=hello
    [     0] a < ANSWER
a part one seq=1 text=other
    [     0] a < ANSWER
a part one seq=3 text=early
    [     0] a < ANSWER CONFLICT
a part one seq=2 text=world
    [     0] a < ANSWER
c get one after=0
    [     0] c < VIEW one running attempt 1 by "a"
             part 1 of 2 "hello"
             part 2 of 2 "world"

== a watch hears of a part, and a part takes the place of what was said meanwhile
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a progress one text=hel
c get one
    [     0] c < VIEW one running attempt 1 by "a" saying "hel"
c watch one after=0 wait=60000
wait 10
a part one text=hello
    [    10] a < ANSWER
    [    10] c < VIEW one running attempt 1 by "a"
             part 1 of 1 "hello"
c watch one after=1 wait=60000
wait 10
a done one data=r
    [    20] a < SETTLED one e1
    [    20] c < VIEW one completed attempt 1 100% reason done by "a"
c watch one version=0 after=0 wait=60000
    [    20] c < VIEW UNKNOWN_TASK

== a watch that is behind is answered at once
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a part one text=hello
    [     0] a < ANSWER
c get one
    [     0] c < VIEW one running attempt 1 by "a"
c watch one after=0 wait=60000
    [     0] c < VIEW one running attempt 1 by "a"
             part 1 of 1 "hello"

== who takes over hears how many there are, and goes on from there
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a part one text=hello
    [     0] a < ANSWER
a release one
    [     0] a < SETTLED one e1
    [     0] a < TASK one e2 attempt 2 parts 1 (at once)
a part one seq=2 text=late
    [     0] a < ANSWER
c get one after=0
    [     0] c < VIEW one running attempt 2 reason released by "a"
             part 1 of 2 "hello"
             part 2 of 2 "late"

== parts outlive a restart and the task's end
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=100000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a part one text=hello
    [     0] a < ANSWER
a part one text=world
    [     0] a < ANSWER
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
a hello held=one:e1:0
    [     0] a < WELCOME one e1: keep
c get one after=0
    [     0] c < VIEW one running attempt 1 by "a"
             part 1 of 2 "hello"
             part 2 of 2 "world"
a part one seq=3 text=again
    [     0] a < ANSWER
a done one data=r
    [     0] a < SETTLED one e1
c get one after=1
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"
             part 2 of 3 "world"
             part 3 of 3 "again"

== what memory does not hold is read
limits parts_held=0
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a part one text=a
    [     0] a < ANSWER
a part one text=b
    [     0] a < ANSWER
a part one text=c
    [     0] a < ANSWER
c get one after=0
    [     0] c < VIEW one running attempt 1 by "a"
             part 1 of 3 "a"
             part 2 of 3 "b"
             part 3 of 3 "c"
c watch one after=2 wait=60000
    [     0] c < VIEW one running attempt 1 by "a"
             part 3 of 3 "c"
c get one after=1 body attempts
    [     0] c < VIEW one running attempt 1 by "a" body "one"
             part 2 of 3 "b"
             part 3 of 3 "c"

== bounds
limits parts=2 part=8
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a part one text=123456789
    [     0] a < ANSWER PAYLOAD_TOO_LARGE
a part one text=12345678
    [     0] a < ANSWER
a part one text=2
    [     0] a < ANSWER
a part one text=3
    [     0] a < ANSWER LIMIT_REACHED
a log one text=line answer
    [     0] a < ANSWER
c get one after=0 log
    [     0] c < VIEW one running attempt 1 by "a"
             log 1 level 0 "line"
             part 1 of 2 "12345678"
             part 2 of 2 "2"

== a part of another attempt is refused
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
worker b queues=q
    [     0] b < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
b part one text=foreign
    [     0] b < ANSWER ATTEMPT_SUPERSEDED
c get one after=0
    [     0] c < VIEW one running attempt 1 by "a"
