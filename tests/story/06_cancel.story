# Cancelling, removing, retrying.

== a queued task is cancelled at once
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c cancel one why="not needed"
    [     0] c < VIEW one cancelled reason cancelled
c get one result
    [     0] c < VIEW one cancelled reason cancelled message "not needed"
c cancel one
    [     0] c < VIEW ALREADY_SETTLED
worker a queues=q
    [     0] a < WELCOME

== a reason that is too long is cut between characters
limits message=10
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c cancel one why="trop tardé"
    [     0] c < VIEW one cancelled reason cancelled
c get one result
    [     0] c < VIEW one cancelled reason cancelled message "trop tard"

== a running task is cancelled; STOP is repeated until it is acknowledged
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c submit two
    [     0] c < SUBMITTED two
a start one
c cancel one
    [     0] a < STOP one e1 cancelled
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
wait 2000
    [  2000] a < STOP one e1 cancelled
wait 2000
    [  4000] a < STOP one e1 cancelled
a progress one percent=5 epoch=e1
    [  4000] a < STOP one e1 lease_lost
a stopped one epoch=e1
    [  4000] a < TASK two e2 attempt 1 (at once)
    [  4000] a < SETTLED one e1
a stopped one epoch=e1
    [  4000] a < SETTLED one e1 ATTEMPT_SUPERSEDED

== a result that comes after the cancel is refused, and frees the slot
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c submit two
    [     0] c < SUBMITTED two
a start one
c cancel one
    [     0] a < STOP one e1 cancelled
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
a done one data=late epoch=e1
    [     0] a < TASK two e2 attempt 1 (at once)
    [     0] a < SETTLED one e1 ATTEMPT_SUPERSEDED
c get one
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"

== a cancel outlives a restart
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
c cancel one
    [     0] a < STOP one e1 cancelled
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
a hello held=one:e1
    [     0] a < WELCOME one e1: stop
c get one
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
a done one epoch=e1
    [     0] a < SETTLED one e1 ATTEMPT_SUPERSEDED

== a scheduled task is cancelled, near or far
client c
    [     0] c < WELCOME
c submit near delay=1000
    [     0] c < SUBMITTED near
c submit far delay=86400000
    [     0] c < SUBMITTED far
c cancel near
    [     0] c < VIEW near cancelled reason cancelled
c cancel far
    [     0] c < VIEW far cancelled reason cancelled
wait 86400000
counts
    [86400000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 2; workers 0

== a task is removed; one that runs is not
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c remove one
    [     0] c < VIEW INVALID_STATE
a release one
    [     0] a < TASK one e2 attempt 1 (at once)
    [     0] a < SETTLED one e1
c queue q paused=1
    [     0] c < ANSWER
             brand 1
             queue q
             paused 1
             running 1
             running_max 0
             rate_per_min 0
             weight 1
             queued 0
a release one
    [     0] a < SETTLED one e2
a hello
    [     0] a < WELCOME
c remove one
    [     0] c < VIEW one queued reason released place 1
c get one
    [     0] c < VIEW UNKNOWN_TASK
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== an ended task is removed, also when only the store knows it
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one
    [     0] a < SETTLED one e1
c remove one
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"
c get one
    [     0] c < VIEW UNKNOWN_TASK
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c get one
    [     0] c < VIEW UNKNOWN_TASK
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== a failed task is retried from the store
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a fail one text=no
    [     0] a < SETTLED one e1
wait 10
c retry one
    [    10] c < VIEW one queued run 2
    [    10] a < TASK one e2 attempt 1 run 2
a done one
    [    10] a < SETTLED one e2
c retry one
    [    10] c < VIEW UNKNOWN_TASK

== a completed task is not retried
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one
    [     0] a < SETTLED one e1
c retry one
    [     0] c < VIEW ALREADY_SETTLED

== a cancel of a task that only the store knows
client c
    [     0] c < WELCOME
c submit far delay=86400000
    [     0] c < SUBMITTED far
wait 10
c cancel far why=gone
    [    10] c < VIEW far cancelled reason cancelled
c get far result
    [    10] c < VIEW far cancelled reason cancelled message "gone"

== retention: what ended long ago is swept
limits failed_keep=3600000
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit day keep=86400000
    [     0] c < SUBMITTED day
    [     0] a < TASK day e1 attempt 1
c submit hour retries=0
    [     0] c < SUBMITTED hour
a done day
    [     0] a < TASK hour e2 attempt 1 (at once)
    [     0] a < SETTLED day e1
a fail hour text=no
    [     0] a < SETTLED hour e2
c get day
    [     0] c < VIEW day completed attempt 1 100% reason done by "a"
c get hour
    [     0] c < VIEW hour failed attempt 1 reason failed by "a"
wait 3720000
c get day
    [3720000] c < VIEW day completed attempt 1 100% reason done by "a"
c get hour
    [3720000] c < VIEW UNKNOWN_TASK
wait 82800000
c get day
    [86520000] c < VIEW UNKNOWN_TASK
counts
    [86520000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== the attempt that a cancel stops is in the ledger, with why
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
c cancel one why="not needed"
    [     0] a < STOP one e1 cancelled
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
c get one attempts
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
             attempt 1.1 cancelled "a" "not needed"
c submit two
    [     0] c < SUBMITTED two
c cancel two
    [     0] c < VIEW two cancelled reason cancelled
c get two attempts
    [     0] c < VIEW two cancelled reason cancelled
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c get one attempts
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "a"
             attempt 1.1 cancelled "a" "not needed"
