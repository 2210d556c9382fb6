# Objects that end with their task.

== a task that is removed takes along what is bound to it
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c put @one kind=job body=steps
    [     0] c < ANSWER @one v1 steps
c put @one kind=job body=more
    [     0] c < ANSWER @one v2 more
stored 15
    [     0] stored: @one v2 more;
c remove one
    [     0] c < VIEW one queued place 1
c fetch @one kind=job
    [     0] c < ANSWER NOT_FOUND
c put @one kind=job body=late
    [     0] c < ANSWER UNKNOWN_TASK
stored 15
    [     0] stored:

== what is bound to it is read first when it is not at hand, and goes in the same group
limits cache=1
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c put @one kind=job body=steps keys=k file=7
    [     0] c < ANSWER @one v1 steps file 7
c put n body=other
    [     0] c < ANSWER n v1 other
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
hold
c remove one
c fetch @one kind=job
go
    [     0] c < ANSWER @one v1 steps file 7
    [     0] c < VIEW one queued place 1
stored 15
    [     0] stored:
crash
    [     0] the broker is back
stored 15
    [     0] stored:
c hello
    [     0] c < WELCOME
c put @one kind=job body=late
    [     0] c < ANSWER UNKNOWN_TASK
c put k kind=job body=late
    [     0] c < ANSWER VALIDATION_ERROR

== retention sweeps it with its task
limits failed_keep=3600000 cache=1
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit hour retries=0
    [     0] c < SUBMITTED hour
    [     0] a < TASK hour e1 attempt 1
c put @hour kind=job body=steps
    [     0] c < ANSWER @hour v1 steps
a fail hour text=no
    [     0] a < SETTLED hour e1
c put m body=other
    [     0] c < ANSWER m v1 other
wait 3590000
stored 15
    [3590000] stored: @hour v1 steps;
wait 130000
c get hour
    [3720000] c < VIEW UNKNOWN_TASK
stored 15
    [3720000] stored:
counts
    [3720000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== a task that nobody keeps stays until the next sweep, for what is bound to it
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=none
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c put @one kind=job body=steps
    [     0] c < ANSWER @one v1 steps
a done one
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"
stored 15
    [     0] stored: @one v1 steps;
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
wait 70000
c get one
    [ 70000] c < VIEW UNKNOWN_TASK
c fetch @one kind=job
    [ 70000] c < ANSWER NOT_FOUND
stored 15
    [ 70000] stored:

== many that go at once are read some at a time
limits failed_keep=1000 cache=1
client c
    [     0] c < WELCOME
quiet
many 200 t c submit %
many 200 t c put @% kind=job body=steps
many 200 t c cancel %
crash
c hello
loud
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 200; workers 0
wait 60150
counts
    [ 60150] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 72; workers 0
wait 1000
counts
    [ 61150] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0
stored 15
    [ 61150] stored:

== a drop leaves the task as it is
client c
    [     0] c < WELCOME
c submit one
    [     0] c < SUBMITTED one
c put @one kind=job body=steps
    [     0] c < ANSWER @one v1 steps
c drop @one kind=job
    [     0] c < ANSWER @one v1 steps
c remove one
    [     0] c < VIEW one queued place 1
stored 15
    [     0] stored:

== a retry while retention reads keeps both
limits failed_keep=1000 cache=1
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one retries=0
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c put @one kind=job body=steps
    [     0] c < ANSWER @one v1 steps
a fail one text=no
    [     0] a < SETTLED one e1
c put m body=other
    [     0] c < ANSWER m v1 other
hold
wait 62000
c retry one
go
    [ 62000] c < VIEW one queued run 2
    [ 62000] a < TASK one e2 attempt 1 run 2
c get one
    [ 62000] c < VIEW one delivered run 2 by "a"
c fetch @one kind=job
    [ 62000] c < ANSWER @one v1 steps

== it is bound to a task that is there, of its own brand, on disk
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c submit one
    [     0] c < SUBMITTED one
c submit memory accepted
    [     0] c < SUBMITTED memory
d put @one kind=job body=x
    [     0] d < ANSWER UNKNOWN_TASK
c put nobody kind=job body=x
    [     0] c < ANSWER VALIDATION_ERROR
c put 0123 kind=job body=x
    [     0] c < ANSWER VALIDATION_ERROR
c put 99 kind=job body=x
    [     0] c < ANSWER UNKNOWN_TASK
c put @memory kind=job body=x
    [     0] c < ANSWER INVALID_STATE
c put @one kind=job body=x
    [     0] c < ANSWER @one v1 x
c put @one kind=job body=y create
    [     0] c < ANSWER CONFLICT
c put @one kind=job body=y version=7
    [     0] c < ANSWER CONFLICT
stored 15
    [     0] stored: @one v1 x;

== what is to be bound while its task goes is refused
limits cache=1
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=none
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
c put m body=other
    [     0] c < ANSWER m v1 other
hold
c put @one kind=job body=steps
a done one
go
    [     0] a < SETTLED one e1
    [     0] c < ANSWER UNKNOWN_TASK
stored 15
    [     0] stored:
