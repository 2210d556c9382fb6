# Links: HELLO with held work, doubt, silence of one and of many, restarts and stalls of the broker.

== a reconnect keeps what runs
client c
    [     0] c < WELCOME
worker a queues=q slots=2
    [     0] a < WELCOME
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
a start t1
a start t2
a gone
wait 1000
a hello held=t1:e1,t2:e2
    [  1000] a < WELCOME t1 e1: keep t2 e2: keep
a done t1
    [  1000] a < SETTLED t1 e1
a done t2
    [  1000] a < SETTLED t2 e2

== what the worker does not name any more goes back at once
client c
    [     0] c < WELCOME
worker a queues=q slots=2
    [     0] a < WELCOME
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
a start t1
a start t2
a gone
a hello held=t1:e1
    [     0] a < WELCOME t1 e1: keep
    [     0] a < TASK t2 e3 attempt 2

== a worker that comes back on a second link leaves the first
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a hello held=one:e1
    [     0] a < WELCOME one e1: keep
a done one
    [     0] a < SETTLED one e1

== after a restart held work is kept and nothing is delivered twice
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
crash
    [     0] the broker is back
b hello
    [     0] b < WELCOME
wait 10000
a hello held=one:e1
    [ 10000] a < WELCOME one e1: keep
wait 20000
a done one
    [ 30000] a < SETTLED one e1

== after a restart unclaimed work waits for the quiet period, then goes on; it does not count
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
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
b hello
    [     0] b < WELCOME
wait 14999
wait 1
    [ 15000] b < TASK one e2 attempt 2
b done one
    [ 15000] b < SETTLED one e2
c get one attempts
    [ 15000] c < VIEW UNKNOWN_TASK

== a grant that the crash took back is kept when its worker offers it
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
hold
c submit one
a start one
crash
    [     0] the broker is back
go
c hello
    [     0] c < WELCOME
a hello held=one:e1
    [     0] a < WELCOME one e1: stop
c submit two
    [     0] c < SUBMITTED two
    [     0] a < TASK two e2 attempt 1
worker b queues=q
    [     0] b < WELCOME
hold
c submit three
crash
    [     0] the broker is back
go

== a grant without its record: the worker keeps what nobody else has
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
worker b queues=q
    [     0] b < WELCOME
c queue q paused=1
    [     0] c < ANSWER
             brand 1
             queue q
             paused 1
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             queued 0
c submit one
    [     0] c < SUBMITTED one
a beat
b beat
hold
c queue q paused=0
    [     0] a < TASK one e1 attempt 1 (at once)
a start one
crash
    [     0] the broker is back
go
c hello
    [     0] c < WELCOME
c queue q paused=0
    [     0] c < ANSWER
             brand 1
             queue q
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             queued 1
a hello held=one:e1
    [     0] a < WELCOME one e1: keep
b hello
    [     0] b < WELCOME
a done one
    [     0] a < SETTLED one e1

== nobody keeps what another one has by now
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue q paused=1
    [     0] c < ANSWER
             brand 1
             queue q
             paused 1
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             queued 0
c submit one
    [     0] c < SUBMITTED one
a beat
hold
c queue q paused=0
    [     0] a < TASK one e1 attempt 1 (at once)
a start one
crash
    [     0] the broker is back
go
c hello
    [     0] c < WELCOME
worker b queues=q
    [     0] b < WELCOME
c queue q paused=0
    [     0] b < TASK one e2 attempt 1
    [     0] c < ANSWER
             brand 1
             queue q
             paused 0
             running 1
             running_max 0
             rate_per_min 0
             weight 1
             queued 0
a hello held=one:e1
    [     0] a < WELCOME one e1: stop
b done one
    [     0] b < SETTLED one e2

== a result that was settled before the restart is settled
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one
    [     0] a < SETTLED one e1
crash
    [     0] the broker is back
a hello held=one:e1
    [     0] a < WELCOME one e1: settled

== the broker stands still: its own stall counts against nobody
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
stall 60000
wait 1
c get one
    [ 60001] c < VIEW one running attempt 1 by "a"
a done one
    [ 60001] a < SETTLED one e1

== a stall between two beats, again and again
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a silent
wait 10000
stall 30000
wait 4000
a awake
wait 1
a done one
    [ 44001] a < SETTLED one e1

== HTTP leases are extended by a stall too
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one timeout=10000
    [     0] c < SUBMITTED one
w claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 10000 (at once)
w start one epoch=0
wait 9000
stall 60000
wait 999
w progress one epoch=0 percent=5 answer
    [ 69999] g < ANSWER

== most of a fleet falls silent: expiry is frozen for a minute, then goes on
client c
    [     0] c < WELCOME
many 10 w worker % queues=q
    [     0] w1 < WELCOME
    [     0] w2 < WELCOME
    [     0] w3 < WELCOME
    [     0] w4 < WELCOME
    [     0] w5 < WELCOME
    [     0] w6 < WELCOME
    [     0] w7 < WELCOME
    [     0] w8 < WELCOME
    [     0] w9 < WELCOME
    [     0] w10 < WELCOME
many 10 t c submit %
    [     0] c < SUBMITTED t1
    [     0] w1 < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] w2 < TASK t2 e2 attempt 1
    [     0] c < SUBMITTED t3
    [     0] w3 < TASK t3 e3 attempt 1
    [     0] c < SUBMITTED t4
    [     0] w4 < TASK t4 e4 attempt 1
    [     0] c < SUBMITTED t5
    [     0] w5 < TASK t5 e5 attempt 1
    [     0] c < SUBMITTED t6
    [     0] w6 < TASK t6 e6 attempt 1
    [     0] c < SUBMITTED t7
    [     0] w7 < TASK t7 e7 attempt 1
    [     0] c < SUBMITTED t8
    [     0] w8 < TASK t8 e8 attempt 1
    [     0] c < SUBMITTED t9
    [     0] w9 < TASK t9 e9 attempt 1
    [     0] c < SUBMITTED t10
    [     0] w10 < TASK t10 e10 attempt 1
w1 silent
w2 silent
w3 silent
w4 silent
wait 66000
counts
    [ 66000] scheduled 0 queued 4 delivered 6 running 0 completed 0 failed 0 cancelled 0; workers 6
wait 1000
counts
    [ 67000] scheduled 0 queued 4 delivered 6 running 0 completed 0 failed 0 cancelled 0; workers 6

== a few of many: nothing is frozen
client c
    [     0] c < WELCOME
many 10 w worker % queues=q
    [     0] w1 < WELCOME
    [     0] w2 < WELCOME
    [     0] w3 < WELCOME
    [     0] w4 < WELCOME
    [     0] w5 < WELCOME
    [     0] w6 < WELCOME
    [     0] w7 < WELCOME
    [     0] w8 < WELCOME
    [     0] w9 < WELCOME
    [     0] w10 < WELCOME
many 10 t c submit %
    [     0] c < SUBMITTED t1
    [     0] w1 < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] w2 < TASK t2 e2 attempt 1
    [     0] c < SUBMITTED t3
    [     0] w3 < TASK t3 e3 attempt 1
    [     0] c < SUBMITTED t4
    [     0] w4 < TASK t4 e4 attempt 1
    [     0] c < SUBMITTED t5
    [     0] w5 < TASK t5 e5 attempt 1
    [     0] c < SUBMITTED t6
    [     0] w6 < TASK t6 e6 attempt 1
    [     0] c < SUBMITTED t7
    [     0] w7 < TASK t7 e7 attempt 1
    [     0] c < SUBMITTED t8
    [     0] w8 < TASK t8 e8 attempt 1
    [     0] c < SUBMITTED t9
    [     0] w9 < TASK t9 e9 attempt 1
    [     0] c < SUBMITTED t10
    [     0] w10 < TASK t10 e10 attempt 1
w1 silent
w2 silent
w3 silent
wait 15000
counts
    [ 15000] scheduled 0 queued 3 delivered 7 running 0 completed 0 failed 0 cancelled 0; workers 7

== a silent client is forgotten, and finds its way back
client c
    [     0] c < WELCOME
c silent
wait 15000
c submit one
    [ 15000] c < RESYNC
c hello
    [ 15000] c < WELCOME
c submit one
    [ 15000] c < SUBMITTED one

== a peer that is not known is told so once a beat, not for each of its frames
client c
    [     0] c < WELCOME
c silent
wait 15000
many 5 t c submit %
    [ 15000] c < RESYNC
wait 1999
c submit six
wait 1
c submit seven
    [ 17000] c < RESYNC
c submit eight
c hello
    [ 17000] c < WELCOME
c submit nine
    [ 17000] c < SUBMITTED nine
c silent
wait 15000
c submit ten
    [ 32000] c < RESYNC

== a worker of another key may not take a name's work
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a gone
worker b queues=q key="key of a"
    [     0] b < WELCOME
b done one epoch=e1
    [     0] b < SETTLED one e1 ATTEMPT_SUPERSEDED

== a HELLO that is not right
worker a queues=q boot=0
    [     0] a < REFUSED VALIDATION_ERROR
client c brand=0
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED FORBIDDEN
