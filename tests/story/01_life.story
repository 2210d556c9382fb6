# The plain life of a task, and what is kept of it.

== a task goes in, out and comes to its end
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a progress one percent=40 text="halfway there"
c get one body
    [     0] c < VIEW one running attempt 1 40% by "a" body "one" saying "halfway there"
a done one data=result
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW UNKNOWN_TASK

== keep none: nothing is left, whatever the end
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=none
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a fail one permanent text=broken
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW UNKNOWN_TASK
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== keep failed, the default: what failed stays and what was cancelled too
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit good
    [     0] c < SUBMITTED good
    [     0] a < TASK good e1 attempt 1
c submit bad
    [     0] c < SUBMITTED bad
c submit unwanted
    [     0] c < SUBMITTED unwanted
a start good
a done good
    [     0] a < TASK bad e2 attempt 1 (at once)
    [     0] a < SETTLED good e1
a start bad
a fail bad permanent text=broken
    [     0] a < TASK unwanted e3 attempt 1 (at once)
    [     0] a < SETTLED bad e2
a release unwanted
    [     0] a < TASK unwanted e4 attempt 1 (at once)
    [     0] a < SETTLED unwanted e3
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
c cancel unwanted
    [     0] a < STOP unwanted e4 cancelled
    [     0] c < VIEW unwanted cancelled reason cancelled by "a"
c get good
    [     0] c < VIEW UNKNOWN_TASK
c get bad result attempts
    [     0] c < VIEW bad failed attempt 1 reason permanent by "a" message "broken"
             attempt 1.1 permanent "a" "broken"
c get unwanted result
    [     0] c < VIEW unwanted cancelled reason cancelled by "a" message "cancelled"
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 1 cancelled 1; workers 1

== keep for days: the result is there, read from the store
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one keep=86400000
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one data=forty-two
    [     0] a < SETTLED one e1
c get one result body
    [     0] c < VIEW one completed attempt 1 100% reason done by "a" body "one" result "forty-two"
wait 1000
c get one result body
    [  1000] c < VIEW one completed attempt 1 100% reason done by "a" body "one" result "forty-two"
crash
    [  1000] the broker is back
c hello
    [  1000] c < WELCOME
c get one result body
    [  1000] c < VIEW one completed attempt 1 100% reason done by "a" body "one" result "forty-two"

== a queue's keep is the default of its tasks
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue q keep=86400000
    [     0] c < ANSWER
             brand 1
             queue q
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             keep 86400000
             queued 0
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one data=kept
    [     0] a < SETTLED one e1
c get one result
    [     0] c < VIEW one completed attempt 1 100% reason done by "a" result "kept"

== nothing that must be durable leaves before its group is
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
hold
c submit one
a start one
a done one
c get one
go
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
    [     0] a < SETTLED one
    [     0] c < VIEW UNKNOWN_TASK

== what was not committed is gone after a crash, wholly
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
hold
c submit one
a start one
a done one
crash
    [     0] the broker is back
go
c hello
    [     0] c < WELCOME
a hello held=one:e1
    [     0] a < WELCOME one e1: stop
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== a stranger's task and an absent one look the same
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c submit one
    [     0] c < SUBMITTED one
d get one
    [     0] d < VIEW UNKNOWN_TASK
d cancel one
    [     0] d < VIEW UNKNOWN_TASK
d get nothing
    [     0] d < VIEW UNKNOWN_TASK
