# Submitting: keys, limits, refusals, tasks in memory only.

== the same key and body give the same task
client c
    [     0] c < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
c submit one key=k
    [     0] c < SUBMITTED one
counts
    [     0] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== another body under a key is refused
client c
    [     0] c < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
c submit two key=k
    [     0] c < SUBMITTED IDEMPOTENCY_CONFLICT
counts
    [     0] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== the same key of another brand is another key
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
d submit two key=k
    [     0] d < SUBMITTED two

== two submits of a key in one group give one task
client c
    [     0] c < WELCOME
hold
c submit one key=k
c submit one key=k
c submit two key=k
go
    [     0] c < SUBMITTED one
    [     0] c < SUBMITTED one
    [     0] c < SUBMITTED IDEMPOTENCY_CONFLICT

== a key is known after a restart, and after its task is gone
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a done one
    [     0] a < SETTLED one e1
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
c submit two key=k
    [     0] c < SUBMITTED IDEMPOTENCY_CONFLICT
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== a key is free again after its time
limits dedup=60000
client c
    [     0] c < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
wait 59999
c submit one key=k
    [ 59999] c < SUBMITTED one
wait 1
c submit other key=k payload=one
    [ 60000] c < SUBMITTED other

== a full disk refuses tasks and takes everything else
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
disk full
c submit two
    [     0] c < SUBMITTED STORAGE_FULL
a checkpoint one data=no
    [     0] a < CHECKPOINT_OK one e1 STORAGE_FULL seq 1
a done one
    [     0] a < SETTLED one e1
c put n body=b
    [     0] c < ANSWER STORAGE_FULL
disk free
c submit two
    [     0] a < TASK two e2 attempt 1 (at once)
    [     0] c < SUBMITTED two

== what is not valid is refused at once
client c
    [     0] c < WELCOME
c submit one retries=5000
    [     0] c < SUBMITTED VALIDATION_ERROR "too many retries"
c submit one labels=b=1,a=2
    [     0] c < SUBMITTED VALIDATION_ERROR "labels are k=v,k=v with rising keys"
c submit one labels=nonsense
    [     0] c < SUBMITTED VALIDATION_ERROR "labels are k=v,k=v with rising keys"
c submit one accepted key=k
    [     0] c < SUBMITTED VALIDATION_ERROR "an accepted task has neither key nor source nor hook"
c submit one brand=2
    [     0] c < SUBMITTED FORBIDDEN

== too many lanes
limits lanes=2
client c
    [     0] c < WELCOME
c submit one type=a
    [     0] c < SUBMITTED one
c submit two type=b
    [     0] c < SUBMITTED two
c submit three type=c
    [     0] c < SUBMITTED LIMIT_REACHED "too many queues or lanes"
c submit four type=a
    [     0] c < SUBMITTED four

== too many tasks: ended ones count while they are kept, and a key is honoured all the same
limits tasks=2
client c
    [     0] c < WELCOME
c submit one key=k
    [     0] c < SUBMITTED one
c submit two
    [     0] c < SUBMITTED two
c submit three
    [     0] c < SUBMITTED LIMIT_REACHED "tasks_max tasks are stored"
c submit one key=k
    [     0] c < SUBMITTED one
c cancel two
    [     0] c < VIEW two cancelled reason cancelled
c submit three
    [     0] c < SUBMITTED LIMIT_REACHED "tasks_max tasks are stored"
c remove two
    [     0] c < VIEW two cancelled reason cancelled
c submit three
    [     0] c < SUBMITTED three

== an accepted task lives in memory only
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
a credit slots=0
c submit one accepted
    [     0] c < SUBMITTED one
c get one body
    [     0] c < VIEW one queued place 1 body "one"
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== an accepted task runs like any other, and leaves nothing
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one accepted watched
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one data=r
    [     0] c < OUTCOME one completed done "r"
    [     0] a < SETTLED one e1
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== accepted tasks stand in the same line as durable ones
client c
    [     0] c < WELCOME
c submit t1
    [     0] c < SUBMITTED t1
c submit t2 accepted
    [     0] c < SUBMITTED t2
c submit t3
    [     0] c < SUBMITTED t3
worker a queues=q slots=3
    [     0] a < WELCOME
    [     0] a < TASK t1 e1 attempt 1
    [     0] a < TASK t2 e2 attempt 1
    [     0] a < TASK t3 e3 attempt 1

== who asked for it is told the outcome once
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one watched
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a fail one permanent text=no
    [     0] c < OUTCOME one failed permanent message "no"
    [     0] a < SETTLED one e1
c retry one
    [     0] c < VIEW one queued run 2
    [     0] a < TASK one e2 attempt 1 run 2
a done one
    [     0] a < SETTLED one e2

== what was submitted may be amended while it waits
client c
    [     0] c < WELCOME
c submit one payload=old extra=first
    [     0] c < SUBMITTED one
c update one payload=new extra=second
    [     0] c < VIEW one queued place 1
c get one body
    [     0] c < VIEW one queued place 1 body "new" extra "second"
worker a queues=q
    [     0] a < WELCOME
    [     0] a < TASK one e1 attempt 1

== of a running task only its extra may be amended, of an ended one too
client c
    [     0] c < WELCOME
c submit one payload=old extra=first keep=1000000
    [     0] c < SUBMITTED one
worker a queues=q
    [     0] a < WELCOME
    [     0] a < TASK one e1 attempt 1
a start one
wait 100
c update one payload=new
    [   100] c < VIEW INVALID_STATE
c update one extra=second
    [   100] c < VIEW one running attempt 1 by "a"
wait 100
c get one body
    [   200] c < VIEW one running attempt 1 by "a" body "old" extra "second"
a done one
    [   200] a < SETTLED one e1
c update one extra=third
    [   200] c < VIEW one completed attempt 1 100% reason done by "a"
c update one priority=high
    [   200] c < VIEW ALREADY_SETTLED
c get one body
    [   200] c < VIEW one completed attempt 1 100% reason done by "a" body "old" extra "third"
