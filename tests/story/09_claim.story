# Workers that poll: CLAIM over a gateway, leases with their own time.

== a claim takes a task; my lease is found without a number
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one
    [     0] c < SUBMITTED one
w claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w start one epoch=0 answer
    [     0] g < ANSWER
w progress one epoch=0 percent=10 answer
    [     0] g < ANSWER
w checkpoint one epoch=0 data=x
    [     0] g < CHECKPOINT_OK one e1 seq 1
w done one epoch=0
    [     0] g < SETTLED one
w done one epoch=0
    [     0] g < SETTLED one UNKNOWN_TASK

== a claim that finds nothing says so
gateway g
    [     0] g < WELCOME
http w
w claim queues=q
wait 0
    [     0] g < TASK none

== a claim waits
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
w claim queues=q wait=10000
wait 5000
c submit one
    [  5000] g < TASK one e1 attempt 1 lease 3600000 (at once)
    [  5000] c < SUBMITTED one

== a claim waits in vain
gateway g
    [     0] g < WELCOME
http w
w claim queues=q wait=10000
wait 10000
    [ 10000] g < TASK none

== several at once, then the end of the list
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 3 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
    [     0] c < SUBMITTED t3
w claim queues=q limit=2
    [     0] g < TASK t1 e1 attempt 1 lease 3600000 (at once)
    [     0] g < TASK t2 e2 attempt 1 lease 3600000 (at once)
    [     0] g < TASK none
w claim queues=q limit=2
    [     0] g < TASK t3 e3 attempt 1 lease 3600000 (at once)
    [     0] g < TASK none
w claim queues=q limit=2
wait 0
    [     0] g < TASK none

== no more than it may hold
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 3 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
    [     0] c < SUBMITTED t3
w claim queues=q limit=5 max=2
    [     0] g < TASK t1 e1 attempt 1 lease 3600000 (at once)
    [     0] g < TASK t2 e2 attempt 1 lease 3600000 (at once)
    [     0] g < TASK none
w claim queues=q max=2
    [     0] g < TASK none
w done t1 epoch=0
    [     0] g < SETTLED t1
w claim queues=q max=2
    [     0] g < TASK t3 e3 attempt 1 lease 3600000 (at once)

== the same unstarted task again, for a lost answer
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
w claim queues=q again
    [     0] g < TASK t1 e1 attempt 1 lease 3600000 (at once)
w claim queues=q again
    [     0] g < TASK t1 e1 attempt 1 lease 3600000
w start t1 epoch=0
w claim queues=q again
    [     0] g < TASK t2 e2 attempt 1 lease 3600000 (at once)

== again is only what the claim asks for
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one queue=p
    [     0] c < SUBMITTED one
w claim queues=p again
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w claim queues=q again
wait 0
    [     0] g < TASK none
w claim queues=p again
    [     0] g < TASK one e1 attempt 1 lease 3600000

== the same task again, also after a restart
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 2 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
w claim queues=q again
    [     0] g < TASK t1 e1 attempt 1 lease 3600000 (at once)
crash
    [     0] the broker is back
g hello
    [     0] g < WELCOME
w claim queues=q again
    [     0] g < TASK t1 e1 attempt 1 lease 3600000

== the lease is the task's timeout, or what was asked for; any call renews it
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one
    [     0] c < SUBMITTED one
w claim queues=q lease=10000
    [     0] g < TASK one e1 attempt 1 lease 10000 (at once)
w start one epoch=0
wait 9000
w progress one epoch=0
wait 9999
wait 1
w progress one epoch=0 answer
    [ 19000] g < ANSWER ATTEMPT_SUPERSEDED
c get one attempts
    [ 19000] c < VIEW one queued attempt 1 reason lease_lost place 1
             attempt 1.1 lease_lost "w" "the worker fell silent"

== a stale worker is refused after its lease went to another
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
http v
c submit one
    [     0] c < SUBMITTED one
w claim queues=q lease=10000
    [     0] g < TASK one e1 attempt 1 lease 10000 (at once)
w start one epoch=0
wait 10000
v claim queues=q lease=10000
    [ 10000] g < TASK one e2 attempt 2 lease 10000
w progress one epoch=e1 answer
    [ 10000] g < ANSWER ATTEMPT_SUPERSEDED
w checkpoint one epoch=e1 data=x
    [ 10000] g < CHECKPOINT_OK one e1 ATTEMPT_SUPERSEDED seq 0
w done one epoch=e1
    [ 10000] g < SETTLED one e1 ATTEMPT_SUPERSEDED
w done one epoch=0
    [ 10000] g < SETTLED one ATTEMPT_SUPERSEDED
v done one epoch=0
    [ 10000] g < SETTLED one

== also a lease that was lost before the work began was lost
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
http v
c submit one
    [     0] c < SUBMITTED one
w claim queues=q lease=10000
    [     0] g < TASK one e1 attempt 1 lease 10000 (at once)
wait 10000
w progress one epoch=0 answer
    [ 10000] g < ANSWER ATTEMPT_SUPERSEDED
v claim queues=q lease=10000
    [ 10000] g < TASK one e2 attempt 1 lease 10000
w done one epoch=0
    [ 10000] g < SETTLED one ATTEMPT_SUPERSEDED

== a worker that never had it is not let in
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
http v
c submit one
    [     0] c < SUBMITTED one
w claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
v progress one epoch=0 answer
    [     0] g < ANSWER FORBIDDEN
v done one epoch=0
    [     0] g < SETTLED one FORBIDDEN

== another incarnation of the worker ends the old one's claims and leases
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
http x
w claim queues=q wait=60000
w claim queues=q wait=60000 boot=2
    [     0] g < TASK none
c submit one
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
    [     0] c < SUBMITTED one

== a gateway that goes takes its parked claims along
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
w claim queues=q wait=60000
g gone
c submit one
    [     0] c < SUBMITTED one

== a cancelled task's worker hears of it at its next call
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
c cancel one
    [     0] c < VIEW one cancelled attempt 1 reason cancelled by "w"
w progress one epoch=0 answer
    [     0] g < ANSWER ATTEMPT_SUPERSEDED
w done one epoch=0
    [     0] g < SETTLED one ATTEMPT_SUPERSEDED

== an HTTP lease outlives the broker
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one
    [     0] c < SUBMITTED one
w claim queues=q lease=60000
    [     0] g < TASK one e1 attempt 1 lease 60000 (at once)
w start one epoch=0
crash
    [     0] the broker is back
g hello
    [     0] g < WELCOME
wait 30000
w progress one epoch=0 answer
    [ 30000] g < ANSWER
w done one epoch=0
    [ 30000] g < SETTLED one

== an HTTP lease is as long after a restart as it was before
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one
    [     0] c < SUBMITTED one
w claim queues=q lease=1000
    [     0] g < TASK one e1 attempt 1 lease 1000 (at once)
w start one epoch=0
wait 900
crash
    [   900] the broker is back
g hello
    [   900] g < WELCOME
http v
wait 900
v claim queues=q
wait 200
    [  1800] g < TASK none
v claim queues=q
    [  2000] g < TASK one e2 attempt 2 lease 3600000
w done one epoch=e1
    [  2000] g < SETTLED one e1 ATTEMPT_SUPERSEDED

== a failed attempt over HTTP
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http w
c submit one retries=1 backoff=100
    [     0] c < SUBMITTED one
w claim queues=q
    [     0] g < TASK one e1 attempt 1 lease 3600000 (at once)
w fail one epoch=0 text=no
    [     0] g < SETTLED one
w fail one epoch=0 text=no
    [     0] g < SETTLED one
w done one epoch=0
    [     0] g < SETTLED one ATTEMPT_SUPERSEDED
wait 200
w claim queues=q
    [   200] g < TASK one e2 attempt 2 lease 3600000 (at once)

== a claim that does not wait still gets what must be read first
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
w claim queues=q
    [     0] g < TASK t1 e1 attempt 1 lease 3600000 (at once)

== who asks for the oldest gets it by priority and age, whatever its queue
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http h
c submit video queue=video priority=low
    [     0] c < SUBMITTED video
c submit audio queue=audio
    [     0] c < SUBMITTED audio
c submit image queue=image priority=high
    [     0] c < SUBMITTED image
c submit other queue=other priority=critical
    [     0] c < SUBMITTED other
c submit sound queue=audio
    [     0] c < SUBMITTED sound
h claim queues=* oldest
    [     0] g < TASK other e1 attempt 1 lease 3600000 (at once)
h claim queues=* oldest
    [     0] g < TASK image e2 attempt 1 lease 3600000 (at once)
h claim queues=* oldest
    [     0] g < TASK audio e3 attempt 1 lease 3600000 (at once)
h claim queues=* oldest
    [     0] g < TASK sound e4 attempt 1 lease 3600000 (at once)
h claim queues=* oldest
    [     0] g < TASK video e5 attempt 1 lease 3600000 (at once)

== a worker that polls and never had a task is known for a minute
client c
    [     0] c < WELCOME
gateway g
    [     0] g < WELCOME
http v
v claim queues=q
wait 0
    [     0] g < TASK none
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1
wait 40000
v claim queues=q
wait 0
    [ 40000] g < TASK none
wait 40000
counts
    [ 80000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1
wait 30000
counts
    [110000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== those who poll under ever new names are remembered within bounds
limits workers=4
gateway g
    [     0] g < WELCOME
http v0
v0 claim queues=q
wait 0
    [     0] g < TASK none
http v1
v1 claim queues=q
wait 0
    [     0] g < TASK none
http v2
v2 claim queues=q
wait 0
    [     0] g < TASK none
http v3
v3 claim queues=q
wait 0
    [     0] g < TASK none
http v4
v4 claim queues=q
wait 0
    [     0] g < TASK none
http v5
v5 claim queues=q
wait 0
    [     0] g < TASK none
http v6
v6 claim queues=q
wait 0
    [     0] g < TASK none
http v7
v7 claim queues=q
wait 0
    [     0] g < TASK none
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 4
