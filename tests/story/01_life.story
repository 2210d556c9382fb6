# The plain life of a task, and what is kept of it.

== a task goes in, out and comes to its end
client c
worker a queues=q
c submit one
a start one
a progress one percent=40 text="halfway there"
c get one body
a done one data=result
c get one

== keep none: nothing is left, whatever the end
client c
worker a queues=q
c submit one keep=none
a start one
a fail one permanent text=broken
c get one
counts

== keep failed, the default: what failed stays and what was cancelled too
client c
worker a queues=q
c submit good
c submit bad
c submit unwanted
a start good
a done good
a start bad
a fail bad permanent text=broken
a release unwanted
c queue q paused=1
c cancel unwanted
c get good
c get bad result attempts
c get unwanted result
counts

== keep for days: the result is there, read from the store
client c
worker a queues=q
c submit one keep=86400000
a start one
a done one data=forty-two
c get one result body
wait 1000
c get one result body
crash
c hello
c get one result body

== a queue's keep is the default of its tasks
client c
worker a queues=q
c queue q keep=86400000
c submit one
a start one
a done one data=kept
c get one result

== nothing that must be durable leaves before its group is
client c
worker a queues=q
hold
c submit one
a start one
a done one
c get one
go

== what was not committed is gone after a crash, wholly
client c
worker a queues=q
hold
c submit one
a start one
a done one
crash
go
c hello
a hello held=one:e1
counts

== a stranger's task and an absent one look the same
client c
client d brand=2
c submit one
d get one
d cancel one
d get nothing
