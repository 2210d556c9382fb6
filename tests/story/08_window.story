# Windows smaller than the backlog: what does not fit waits on disk, and nobody notices.

== first in, first out, through a window of sixteen
limits window=1
client c
    [     0] c < WELCOME
quiet
many 100 t c submit %
worker a queues=q slots=1
a beat
loud
a done t1
    [     0] a < TASK t2 e2 attempt 1 (at once)
    [     0] a < SETTLED t1 e1
a done t2
    [     0] a < TASK t3 e3 attempt 1 (at once)
    [     0] a < SETTLED t2 e2
quiet
many 58 t a done %
loud
a done t59
    [     0] a < TASK t60 e60 attempt 1 (at once)
    [     0] a < SETTLED t59 e59
a done t60
    [     0] a < TASK t61 e61 attempt 1 (at once)
    [     0] a < SETTLED t60 e60

== a task far down the backlog is read, cancelled and never delivered
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
loud
c get t30 body
    [     0] c < VIEW t30 queued place 30 body "t30"
c cancel t30
    [     0] c < VIEW t30 cancelled reason cancelled
c get t30 result
    [     0] c < VIEW t30 cancelled reason cancelled message "cancelled"
quiet
worker a queues=q slots=28
many 28 t a done %
loud
a done t29
    [     0] a < SETTLED t29 e29
c get t31
    [     0] c < VIEW t31 delivered by "a"
counts
    [     0] scheduled 0 queued 0 delivered 10 running 0 completed 0 failed 0 cancelled 1; workers 1

== a task far down is given a higher priority
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
loud
c update t35 priority=high
    [     0] c < VIEW t35 queued place 1
worker a queues=q
    [     0] a < WELCOME
    [     0] a < TASK t1 e1 attempt 1

== the backlog is there after a restart, in order
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
crash
c hello
worker a queues=q slots=20
loud
a done t1
    [     0] a < TASK t21 e21 attempt 1 (at once)
    [     0] a < SETTLED t1 e1
counts
    [     0] scheduled 0 queued 19 delivered 20 running 0 completed 0 failed 0 cancelled 0; workers 1

== tasks that come back go to the front, not behind the backlog
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
worker a queues=q slots=30
loud
a release t17
    [     0] a < TASK t17 e31 attempt 1 (at once)
    [     0] a < SETTLED t17 e17
a release t3
    [     0] a < TASK t3 e32 attempt 1 (at once)
    [     0] a < SETTLED t3 e3

== tasks of the open group are found when the window is empty
limits window=1
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
quiet
hold
many 40 t c submit %
loud
a done t1
    [     0] a < TASK t2 e2 attempt 1 (at once)
go
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] c < SUBMITTED t3
    [     0] c < SUBMITTED t4
    [     0] c < SUBMITTED t5
    [     0] c < SUBMITTED t6
    [     0] c < SUBMITTED t7
    [     0] c < SUBMITTED t8
    [     0] c < SUBMITTED t9
    [     0] c < SUBMITTED t10
    [     0] c < SUBMITTED t11
    [     0] c < SUBMITTED t12
    [     0] c < SUBMITTED t13
    [     0] c < SUBMITTED t14
    [     0] c < SUBMITTED t15
    [     0] c < SUBMITTED t16
    [     0] c < SUBMITTED t17
    [     0] c < SUBMITTED t18
    [     0] c < SUBMITTED t19
    [     0] c < SUBMITTED t20
    [     0] c < SUBMITTED t21
    [     0] c < SUBMITTED t22
    [     0] c < SUBMITTED t23
    [     0] c < SUBMITTED t24
    [     0] c < SUBMITTED t25
    [     0] c < SUBMITTED t26
    [     0] c < SUBMITTED t27
    [     0] c < SUBMITTED t28
    [     0] c < SUBMITTED t29
    [     0] c < SUBMITTED t30
    [     0] c < SUBMITTED t31
    [     0] c < SUBMITTED t32
    [     0] c < SUBMITTED t33
    [     0] c < SUBMITTED t34
    [     0] c < SUBMITTED t35
    [     0] c < SUBMITTED t36
    [     0] c < SUBMITTED t37
    [     0] c < SUBMITTED t38
    [     0] c < SUBMITTED t39
    [     0] c < SUBMITTED t40
    [     0] a < SETTLED t1

== four priorities, each with a backlog of its own
limits window=1
client c
    [     0] c < WELCOME
quiet
many 20 l c submit % priority=low
many 20 n c submit %
many 20 h c submit % priority=high
worker a queues=q slots=19
many 18 h a done %
loud
a done h19
    [     0] a < TASK n18 e38 attempt 1 (at once)
    [     0] a < SETTLED h19 e22
a done h20
    [     0] a < TASK n19 e39 attempt 1 (at once)
    [     0] a < SETTLED h20 e23
counts
    [     0] scheduled 0 queued 21 delivered 19 running 0 completed 0 failed 0 cancelled 0; workers 1

== what is far down is removed
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
loud
c remove t33
    [     0] c < VIEW t33 queued place 33
c get t33
    [     0] c < VIEW UNKNOWN_TASK
quiet
worker a queues=q slots=31
many 31 t a done %
loud
a done t32
    [     0] a < SETTLED t32 e32
counts
    [     0] scheduled 0 queued 0 delivered 7 running 0 completed 0 failed 0 cancelled 0; workers 1

== a load that is late does no harm
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
worker a queues=q slots=16
loud
deaf
a release t5
    [     0] a < TASK t5 e17 attempt 1 (at once)
    [     0] a < SETTLED t5 e5
a done t1
    [     0] a < TASK t17 e18 attempt 1 (at once)
    [     0] a < SETTLED t1 e1
c cancel t20
    [     0] c < VIEW t20 cancelled reason cancelled
a done t2
    [     0] a < TASK t18 e19 attempt 1 (at once)
    [     0] a < SETTLED t2 e2
go
counts
    [     0] scheduled 0 queued 21 delivered 16 running 0 completed 0 failed 0 cancelled 1; workers 1

== a lane whose tasks came and went within a group is as it was written
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
lanes
    [     0] lanes were written 1 times
a done one
    [     0] a < SETTLED one e1
lanes
    [     0] lanes were written 2 times
hold
c submit two
    [     0] a < TASK two e2 attempt 1 (at once)
a done two
c submit three
    [     0] a < TASK three e3 attempt 1 (at once)
a done three
go
    [     0] c < SUBMITTED two
    [     0] a < SETTLED two e2
    [     0] c < SUBMITTED three
    [     0] a < SETTLED three e3
lanes
    [     0] lanes were written 2 times
c submit four
    [     0] a < TASK four e4 attempt 1 (at once)
    [     0] c < SUBMITTED four
lanes
    [     0] lanes were written 3 times
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
counts
    [     0] scheduled 0 queued 0 delivered 1 running 0 completed 0 failed 0 cancelled 0; workers 1

== a lane is written again when one is put back before those that were, though it counts the same
limits window=1
client c
    [     0] c < WELCOME
quiet
many 40 t c submit %
worker a queues=q slots=1 prefetch=0
loud
lanes
    [     0] lanes were written 41 times
hold
a drain
worker b queues=q slots=1 prefetch=0
    [     0] b < WELCOME
a release t1
go
    [     0] a < RECALL
    [     0] b < TASK t2 e2 attempt 1
    [     0] a < SETTLED t1 e1
lanes
    [     0] lanes were written 42 times
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
b hello
    [     0] b < WELCOME
    [     0] b < TASK t1 e3 attempt 1
a hello
    [     0] a < WELCOME
    [     0] a < TASK t3 e4 attempt 1
wait 16000
