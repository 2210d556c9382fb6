# Leases: who may write, and what becomes of an attempt.

== a released task goes to the next; nothing is counted
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
worker b queues=q
    [     0] b < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a drain
a release one
    [     0] a < SETTLED one e1
    [     0] b < TASK one e2 attempt 2
c get one attempts
    [     0] c < VIEW one delivered attempt 1 reason released by "b"
             attempt 1.1 released "a"

== a failed attempt is tried again after a back-off that doubles
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=2 backoff=1000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a fail one text=once
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW one scheduled attempt 1 reason failed due in 772 by "a"
wait 1250
    [   772] a < TASK one e2 attempt 2 (at once)
a start one
a fail one text=twice
    [  1250] a < SETTLED one e2
wait 2500
    [  2876] a < TASK one e3 attempt 3 (at once)
a fail one text=thrice
    [  3750] a < SETTLED one e3
c get one result attempts
    [  3750] c < VIEW one failed attempt 3 reason failed by "a" message "thrice"
             attempt 1.1 failed "a" "once"
             attempt 1.2 failed "a" "twice"
             attempt 1.3 failed "a" "thrice"

== a permanent error is not tried again
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a fail one permanent text=never
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW one failed attempt 1 reason permanent by "a"

== an error that its worker calls final is not tried again either
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a fail one final text=no
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW one failed attempt 1 reason failed by "a"

== a manual retry opens the next run with a budget of its own
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a fail one text=no
    [     0] a < SETTLED one e1
c retry one
    [     0] c < VIEW one queued run 2
    [     0] a < TASK one e2 attempt 1 run 2
a fail one text=again
    [     0] a < SETTLED one e2
c retry one retries=2
    [     0] c < VIEW one queued run 3
    [     0] a < TASK one e3 attempt 1 run 3
a fail one text=still
    [     0] a < SETTLED one e3
c retry one retries=2
    [     0] c < VIEW MAX_RETRIES
c get one attempts
    [     0] c < VIEW one failed run 3 attempt 1 reason failed by "a"
             attempt 1.1 failed "a" "no"
             attempt 2.1 failed "a" "again"
             attempt 3.1 failed "a" "still"

== a task that crashes its worker twice is poison
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a fail one crashed text="signal 11"
    [     0] a < SETTLED one e1
    [     0] a < TASK one e2 attempt 2
a start one
a fail one crashed text="signal 11"
    [     0] a < SETTLED one e2
c get one attempts
    [     0] c < VIEW one failed attempt 2 reason poison by "a"
             attempt 1.1 crashed "a" "signal 11"
             attempt 1.2 crashed "a" "signal 11"
c retry one
    [     0] c < VIEW one queued run 2
    [     0] a < TASK one e3 attempt 1 run 2

== a worker that dies takes its attempts along; its next process is another incarnation
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a gone
a hello boot=2
    [     0] a < WELCOME
    [     0] a < TASK one e2 attempt 2
a done one epoch=e1
    [     0] a < SETTLED one e1 ATTEMPT_SUPERSEDED
a start one
a gone
a hello boot=3
    [     0] a < WELCOME
c get one attempts
    [     0] c < VIEW one failed attempt 2 reason poison
             attempt 1.1 crashed "a" "the worker's process died"
             attempt 1.2 crashed "a" "the worker's process died"

== a lease is lost to silence: the task goes on elsewhere, its fence goes up
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
worker b queues=q
    [     0] b < WELCOME
b credit slots=0
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a silent
wait 6000
b credit slots=1
wait 9000
    [ 15000] b < TASK one e2 attempt 2
b start one
a progress one percent=50 epoch=e1
    [ 15000] a < RESYNC
a hello held=one:e1
    [ 15000] a < WELCOME one e1: stop
a progress one percent=50 epoch=e1
    [ 15000] a < STOP one e1 lease_lost
a checkpoint one data=x epoch=e1
    [ 15000] a < CHECKPOINT_OK one e1 ATTEMPT_SUPERSEDED seq 0
a log one text=hello epoch=e1
    [ 15000] a < STOP one e1 lease_lost
a done one data=stale epoch=e1
    [ 15000] a < SETTLED one e1 ATTEMPT_SUPERSEDED
a fail one text=stale epoch=e1
    [ 15000] a < SETTLED one e1 ATTEMPT_SUPERSEDED
a release one epoch=e1
    [ 15000] a < SETTLED one e1 ATTEMPT_SUPERSEDED
c get one
    [ 15000] c < VIEW one running attempt 2 reason lease_lost by "b"
b done one data=good
    [ 15000] b < SETTLED one e2

== unstarted work is taken back from a silent worker at once
client c
    [     0] c < WELCOME
worker a queues=q slots=1 prefetch=1
    [     0] a < WELCOME
worker b queues=q
    [     0] b < WELCOME
b credit slots=0
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
a start t1
a silent
wait 6000
b credit slots=2
    [  6000] b < TASK t2 e3 attempt 1
wait 2000
a awake
wait 1
c get t1
    [  8001] c < VIEW t1 running attempt 1 by "a"

== a silence that ends in time costs nothing
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a silent
wait 14000
a awake
wait 1
a done one
    [ 14001] a < SETTLED one e1

== the same report said twice has one effect and one answer
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one data=r
    [     0] a < SETTLED one e1
a done one data=r
    [     0] a < SETTLED one e1
a fail one text=no
    [     0] a < SETTLED one e1 ATTEMPT_SUPERSEDED
a progress one percent=5 answer
    [     0] a < ANSWER ATTEMPT_SUPERSEDED
a checkpoint one data=x
    [     0] a < CHECKPOINT_OK one e1 ATTEMPT_SUPERSEDED seq 0
c get one
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"

== a result said again after a restart is still the winner's
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one data=r
    [     0] a < SETTLED one e1
crash
    [     0] the broker is back
a hello held=one:e1
    [     0] a < WELCOME one e1: settled
a done one data=r
    [     0] a < SETTLED one e1
a fail one text=changed
    [     0] a < SETTLED one e1 ATTEMPT_SUPERSEDED

== a report about nothing
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
a done nothing epoch=e1
    [     0] a < SETTLED ? e1 UNKNOWN_TASK
a start nothing epoch=e1
    [     0] a < STOP ? e1 lease_lost
c submit one
    [     0] a < TASK one e2 attempt 1 (at once)
    [     0] c < SUBMITTED one
a done one epoch=0
    [     0] a < SETTLED one

== another worker may not speak for the holder
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
worker b queues=q
    [     0] b < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
b done one epoch=e1
    [     0] b < SETTLED one e1 ATTEMPT_SUPERSEDED
b start one epoch=e1
    [     0] b < STOP one e1 lease_lost
a done one
    [     0] a < SETTLED one e1

== the run timeout ends an attempt; the worker is told until it answers
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one timeout=5000 retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
wait 5000
    [  5000] a < STOP one e1 timeout
wait 2000
    [  7000] a < STOP one e1 timeout
wait 2000
    [  9000] a < STOP one e1 timeout
a stopped one epoch=e1
    [  9000] a < SETTLED one e1
c get one
    [  9000] c < VIEW one failed attempt 1 reason timeout by "a"

== the progress timeout
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one progress=3000 retries=1 backoff=100
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
wait 2999
a progress one percent=1
wait 2999
wait 1
    [  5999] a < STOP one e1 timeout
a stopped one epoch=e1
    [  5999] a < SETTLED one e1
wait 200
    [  6097] a < TASK one e2 attempt 2

== drain: nothing new, what runs goes on, what waits goes back
client c
    [     0] c < WELCOME
worker a queues=q slots=1 prefetch=1
    [     0] a < WELCOME
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
a start t1
a drain
    [     0] a < RECALL
a release t2
    [     0] a < SETTLED t2 e2
worker b queues=q
    [     0] b < WELCOME
    [     0] b < TASK t2 e3 attempt 1
a done t1
    [     0] a < SETTLED t1 e1

== bye: what the worker had goes back at once
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
a bye
worker b queues=q slots=2
    [     0] b < WELCOME
    [     0] b < TASK t2 e3 attempt 1
    [     0] b < TASK t1 e4 attempt 2
a done t1 epoch=e1
    [     0] a < RESYNC

== log lines are kept, up to the limit
limits log_lines=2
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a log one text=first
a log one text=second answer
    [     0] a < ANSWER
a log one text=third answer
    [     0] a < ANSWER LIMIT_REACHED
c get one log
    [     0] c < VIEW one running attempt 1 by "a"
             log 1 level 0 "first"
             log 2 level 0 "second"

== a result that is too large is refused, the lease stays
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a progress one percent=101
a done one
    [     0] a < SETTLED one e1

== an implied worker starts what fits its slots
client c
    [     0] c < WELCOME
worker a queues=q slots=1 prefetch=1 implied
    [     0] a < WELCOME
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
counts
    [     0] scheduled 0 queued 0 delivered 1 running 1 completed 0 failed 0 cancelled 0; workers 1
a done t1
    [     0] a < SETTLED t1 e1
counts
    [     0] scheduled 0 queued 0 delivered 1 running 0 completed 0 failed 0 cancelled 0; workers 1
