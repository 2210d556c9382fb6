# Bounds: what is too large, too many, or not asked for any more.

== a result that is too large is refused; the lease stays and a smaller one is taken
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one size=65537
    [     0] a < SETTLED one e1 PAYLOAD_TOO_LARGE
a fail one text=no
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW one scheduled attempt 1 reason failed due in 772 by "a"

== a payload, a reason or a note that is too large
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one size=65537
    [     0] c < SUBMITTED PAYLOAD_TOO_LARGE "the payload is too large"
c submit two
    [     0] c < SUBMITTED two
    [     0] a < TASK two e1 attempt 1
a progress two answer text=fine
    [     0] a < ANSWER
a checkpoint two size=1048577
    [     0] a < CHECKPOINT_OK two e1 PAYLOAD_TOO_LARGE seq 1
a checkpoint two name=fine data=x
    [     0] a < CHECKPOINT_OK two e1 seq 1

== a watch and a claim may be taken back
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one delay=60000
    [     0] c < SUBMITTED one
c get one
    [     0] c < VIEW one scheduled due in 60000
c watch one wait=60000
c unwatch
c update one delay=50000
    [     0] c < VIEW one scheduled due in 50000
w claim queues=q wait=60000
w unwatch
c update one delay=0
    [     0] c < VIEW one scheduled due in 0

== an old incarnation's parked claims end with it
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
w claim queues=q wait=60000
w claim queues=q wait=60000 boot=2
    [     0] g < TASK none
c submit one
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
    [     0] c < SUBMITTED one
c submit two
    [     0] c < SUBMITTED two

== a claim's leases end with its incarnation
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one
    [     0] c < SUBMITTED one
w claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w start one epoch=0
w claim queues=q boot=2
    [     0] g < TASK one e2 attempt 2 lease 3600000
w done one epoch=e1
    [     0] g < SETTLED one e1 ATTEMPT_SUPERSEDED
w done one epoch=0
    [     0] g < SETTLED one
c get one
    [     0] c < VIEW UNKNOWN_TASK

== a claim waits a moment for what is being read
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
crash
    [     0] the broker is back
g hello
    [     0] g < WELCOME
deaf
w claim queues=q
wait 100
go
    [   100] g < TASK t1 e1 attempt 1 lease 3600000 (at once)

== and no longer than that
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
crash
    [     0] the broker is back
g hello
    [     0] g < WELCOME
deaf
w claim queues=q
wait 200
    [   200] g < TASK none
go

== too many waits, and room for the next
limits parked=4
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
c submit one
    [     0] c < SUBMITTED one
c get one
    [     0] c < VIEW one queued place 1
c watch one wait=1000
c watch one wait=1000
    [     0] c < VIEW BUSY
d watch one wait=1000
d watch one wait=1000
    [     0] d < VIEW BUSY
wait 1000
    [  1000] c < VIEW one queued place 1
    [  1000] d < VIEW one queued place 1
c watch one wait=1000

== a watch that wakes reads what memory lacks
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a log one text=hello
c get one
    [     0] c < VIEW one running attempt 1 by "a"
c watch one wait=60000 body result log
a done one data=r
    [     0] a < SETTLED one e1
    [     0] c < VIEW UNKNOWN_TASK
c submit two keep=86400000
    [     0] a < TASK two e2 attempt 1 (at once)
    [     0] c < SUBMITTED two
c get two
    [     0] c < VIEW two delivered by "a"
c watch two wait=60000 body result log
a log two text=hello
    [     0] c < VIEW two running attempt 1 by "a" body "two"
             log 1 level 0 "hello"
a done two data=r
    [     0] a < SETTLED two e2

== a worker that rests makes room for another
limits workers=1
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http v
http w
c submit one
    [     0] c < SUBMITTED one
v claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w claim queues=q
    [     0] g < REFUSED LIMIT_REACHED
v done one epoch=0
    [     0] g < SETTLED one
w claim queues=q
wait 0
    [     0] g < TASK none
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== a worker that rests long enough is forgotten
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one
    [     0] c < SUBMITTED one
w claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w done one epoch=0
    [     0] g < SETTLED one
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1
wait 600000
counts
    [600000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== idempotency keys are swept after their time
limits dedup=1000
client c
    [     0] c < WELCOME
c submit one key=k1
    [     0] c < SUBMITTED one
c submit two key=k2
    [     0] c < SUBMITTED two
wait 130000
c submit three key=k1
    [130000] c < SUBMITTED three
c submit four key=k2
    [130000] c < SUBMITTED four
wait 500
c submit three key=k1
    [130500] c < SUBMITTED three

== a reader may not write, and a writer may not work
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a cancel one
    [     0] a < VIEW FORBIDDEN
a retry one
    [     0] a < VIEW FORBIDDEN
a submit two
    [     0] a < SUBMITTED FORBIDDEN
c done one epoch=e1
    [     0] c < SETTLED one e1 FORBIDDEN
c claim queues=q
    [     0] c < REFUSED FORBIDDEN

== a full disk refuses a retry, too
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a fail one text=no
    [     0] a < SETTLED one e1
disk full
c retry one
    [     0] c < VIEW STORAGE_FULL
disk free
c retry one
    [     0] c < VIEW one queued run 2
    [     0] a < TASK one e2 attempt 1 run 2

== a due time may not be given to what runs or is over
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c update one delay=1000
    [     0] c < VIEW INVALID_STATE
c update one
    [     0] c < VIEW one delivered by "a"
a done one
    [     0] a < SETTLED one e1
c update one delay=1000
    [     0] c < VIEW UNKNOWN_TASK
c update one resume=1
    [     0] c < VIEW UNKNOWN_TASK

== a file that comes with a result goes when the task goes
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one file=77 file_name=out.txt
    [     0] a < SETTLED one e1
c get one result
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"
c remove one
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"

== far more delayed tasks than memory holds, each in its time
client c
    [     0] c < WELCOME
quiet
many 66000 d c submit % delay=40000 queue=d
c submit soon delay=30000
worker a queues=q,d
loud
wait 30000
    [ 30000] a < TASK soon e1 attempt 1 (at once)
a done soon
    [ 30000] a < SETTLED soon e1
wait 10000
    [ 40000] a < TASK d1 e2 attempt 1 (at once)
counts
    [ 40000] scheduled 0 queued 65999 delivered 1 running 0 completed 0 failed 0 cancelled 0; workers 1

== more kinds of service than are kept: those that nobody uses make room
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
quiet
many 1100 q w claim queues=%
wait 0
c submit one queue=q1100
c submit two queue=q7
loud
w claim queues=q1100
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w claim queues=q7
    [     0] g < TASK two e2 attempt 1 lease 3600000 (at once)

== a worker gets no more than its connection holds, and the rest when that has left
limits push=300
client c
    [     0] c < WELCOME
worker a queues=q slots=9
    [     0] a < WELCOME
many 2 t c submit % size=100
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
c submit t3 size=100
    [     0] c < SUBMITTED t3
c submit small
    [     0] c < SUBMITTED small
worker b queues=q
    [     0] b < WELCOME
    [     0] b < TASK t3 e3 attempt 1
room
    [     0] a < TASK small e4 attempt 1
