# Checkpoints: versions, what rides along, resuming.

== each checkpoint is a new version, acknowledged when it is written
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
hold
a checkpoint one data=a
a checkpoint one data=b
go
    [     0] a < CHECKPOINT_OK one e1 seq 1
    [     0] a < CHECKPOINT_OK one e1 seq 2
c get one
    [     0] c < VIEW one running attempt 1 checkpoint 2 by "a"

== the newest checkpoint rides with the next delivery
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 seq 1
a checkpoint one data=b
    [     0] a < CHECKPOINT_OK one e1 seq 2
a release one
    [     0] a < SETTLED one e1
    [     0] a < TASK one e2 attempt 2 checkpoint 2 "b" (at once)
c get one
    [     0] c < VIEW one delivered attempt 1 checkpoint 2 reason released by "a"

== a checkpoint of the open group rides along too
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
hold
a checkpoint one data=a
a release one
go
    [     0] a < CHECKPOINT_OK one e1 seq 1
    [     0] a < SETTLED one e1
    [     0] a < TASK one e2 attempt 2 checkpoint 1 "a" (at once)

== a version may be named, and never goes back
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a checkpoint one seq=5 data=five
    [     0] a < CHECKPOINT_OK one e1 seq 5
a checkpoint one seq=5 data=again
    [     0] a < CHECKPOINT_OK one e1 seq 5
a checkpoint one seq=4 data=back
    [     0] a < CHECKPOINT_OK one e1 CONFLICT seq 4
a checkpoint one data=next
    [     0] a < CHECKPOINT_OK one e1 seq 6

== the newest version said again is the same one, and only in the same delivery
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
hold
a checkpoint one seq=5 data=five
a checkpoint one seq=5 data=six
go
    [     0] a < CHECKPOINT_OK one e1 seq 5
    [     0] a < CHECKPOINT_OK one e1 seq 5
a release one
    [     0] a < SETTLED one e1
    [     0] a < TASK one e2 attempt 2 checkpoint 5 "five" (at once)
a checkpoint one seq=5 data=six
    [     0] a < CHECKPOINT_OK one e2 CONFLICT seq 5
c get one
    [     0] c < VIEW one running attempt 2 checkpoint 5 reason released by "a"

== resume from a version; it stays chosen until the next checkpoint
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 seq 1
a checkpoint one data=b
    [     0] a < CHECKPOINT_OK one e1 seq 2
a fail one text=no
    [     0] a < SETTLED one e1
c retry one resume=1
    [     0] c < VIEW one queued run 2 checkpoint 2
    [     0] a < TASK one e2 attempt 1 run 2 checkpoint 1 "a"
a start one
a release one
    [     0] a < SETTLED one e2
    [     0] a < TASK one e3 attempt 2 run 2 checkpoint 1 "a"
a start one
a checkpoint one data=c
    [     0] a < CHECKPOINT_OK one e3 seq 3
a release one
    [     0] a < SETTLED one e3
    [     0] a < TASK one e4 attempt 3 run 2 checkpoint 3 "c"
a fail one
    [     0] a < SETTLED one e4
c retry one resume=9
    [     0] c < VIEW NOT_FOUND
c retry one
    [     0] c < VIEW one queued run 3 checkpoint 3
    [     0] a < TASK one e5 attempt 1 run 3 checkpoint 3 "c"

== a version that is no longer kept gives way to the newest
limits checkpoints=2
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 seq 1
a checkpoint one data=b
    [     0] a < CHECKPOINT_OK one e1 seq 2
a checkpoint one data=c
    [     0] a < CHECKPOINT_OK one e1 seq 3
a checkpoint one data=d
    [     0] a < CHECKPOINT_OK one e1 seq 4
a fail one text=no
    [     0] a < SETTLED one e1
c retry one resume=1
    [     0] c < VIEW one queued run 2 checkpoint 4
    [     0] a < TASK one e2 attempt 1 run 2 checkpoint 4 "d"

== checkpoints outlive the broker
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 seq 1
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
a hello boot=2
    [     0] a < WELCOME
    [     0] a < TASK one e2 attempt 2 checkpoint 1 "a"
wait 15000
c get one
    [ 15000] c < VIEW one delivered attempt 1 checkpoint 1 reason crashed by "a"

== a checkpoint that was not written is gone with the broker
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 seq 1
hold
a checkpoint one data=b
crash
    [     0] the broker is back
go
c hello
    [     0] c < WELCOME
a hello held=one:e1:1
    [     0] a < WELCOME one e1: keep
a checkpoint one data=c epoch=e1
    [     0] a < CHECKPOINT_OK one e1 seq 2

== an accepted task has none
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one accepted
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 INVALID_STATE seq 1

== what waits is paused at once, and goes on when it is resumed
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c pause one
    [     0] c < VIEW one paused reason paused
c pause one
    [     0] c < VIEW one paused reason paused
worker a queues=q
    [     0] a < WELCOME
c retry one retries=0
    [     0] c < VIEW one queued run 2
    [     0] a < TASK one e1 attempt 1 run 2

== a worker is told to stop for a pause; the newest checkpoint rides with the resumed delivery
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a checkpoint one data=a
    [     0] a < CHECKPOINT_OK one e1 seq 1
c pause one
    [     0] a < STOP one e1 paused
    [     0] c < VIEW one paused attempt 1 checkpoint 1 reason paused by "a"
a done one epoch=e1
    [     0] a < SETTLED one e1 ATTEMPT_SUPERSEDED
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
a hello
    [     0] a < WELCOME
c get one
    [     0] c < VIEW one paused attempt 1 checkpoint 1 reason paused by "a"
c retry one
    [     0] c < VIEW one queued run 2 checkpoint 1
    [     0] a < TASK one e2 attempt 1 run 2 checkpoint 1 "a"

== a worker that polls goes on until its next checkpoint, and then the task is paused
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http h
h claim queues=q wait=1000
c submit one
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
    [     0] c < SUBMITTED one
h start one epoch=0
c pause one
    [     0] c < VIEW one running attempt 1 by "h"
h progress one percent=5 epoch=0 answer
    [     0] g < ANSWER
c get one
    [     0] c < VIEW one running attempt 1 5% by "h"
h checkpoint one data=a epoch=0
    [     0] g < CHECKPOINT_OK one e1 seq 1
c get one
    [     0] c < VIEW one paused attempt 1 5% checkpoint 1 reason paused by "h"
h progress one percent=6 epoch=0 answer
    [     0] g < ANSWER ATTEMPT_SUPERSEDED
c retry one
    [     0] c < VIEW one queued run 2 5% checkpoint 1 place 1

== a claimed task that was told to pause and falls silent is paused, not queued
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http h
h claim queues=q wait=1000 lease=5000
c submit one
    [     0] g < TASK one e1 attempt 1 lease 5000 (at once)
    [     0] c < SUBMITTED one
h start one epoch=0
c pause one
    [     0] c < VIEW one running attempt 1 by "h"
wait 6000
c get one
    [  6000] c < VIEW one paused attempt 1 reason paused by "h"
c cancel one
    [  6000] c < VIEW one cancelled attempt 1 reason cancelled by "h"
c pause one
    [  6000] c < VIEW ALREADY_SETTLED

== a task in memory only cannot be paused; one that ended neither
client c
    [     0] c < WELCOME
c submit one accepted
    [     0] c < SUBMITTED one
c pause one
    [     0] c < VIEW INVALID_STATE
c submit two
    [     0] c < SUBMITTED two
c cancel two
    [     0] c < VIEW two cancelled reason cancelled
c pause two
    [     0] c < VIEW ALREADY_SETTLED
