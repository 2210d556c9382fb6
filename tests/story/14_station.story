# Stations: the workers of dialect 003. w is their token, g the gateway that it comes through.

== a worker registers, is heard, and registers again after a restart
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1 max=10 version=1.0.0
    [     0] g < ANSWER s1 ONLINE 0/10
w heart s1
    [     0] g < ANSWER s1 ONLINE 0/10
w register s1
    [     0] g < ANSWER s1 ONLINE 0/10
w station s1
    [     0] g < ANSWER s1 ONLINE 0/10
w stations all
    [     0] g < ROWS
             s1 ONLINE 0/10
             of 1

== its name is taken while it is alive at another endpoint
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1 endpoint=http://one
    [     0] g < ANSWER s1 ONLINE 0/50
w register s1 endpoint=http://two
    [     0] g < ANSWER WORKER_ALREADY_REGISTERED
wait 119999
w register s1 endpoint=http://two
    [119999] g < ANSWER WORKER_ALREADY_REGISTERED
wait 1
w register s1 endpoint=http://two
    [120000] g < ANSWER s1 ONLINE 0/50

== an endpoint belongs to one that is alive
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1 endpoint=http://one
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2 endpoint=http://one
    [     0] g < ANSWER WORKER_ALREADY_REGISTERED
wait 120000
w register s2 endpoint=http://one
    [120000] g < ANSWER s2 ONLINE 0/50
w heart s1 take=5
    [120000] g < ANSWER s1 ONLINE 0/50 shadow waiting 1
             #1 register to s1
w register s1 endpoint=http://two
    [120000] g < ANSWER s1 ONLINE 0/50

== without a heartbeat for two minutes it is offline
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
wait 119999
w station s1
    [119999] g < ANSWER s1 ONLINE 0/50
w heart s1
    [119999] g < ANSWER s1 ONLINE 0/50
wait 119999
w station s1
    [239998] g < ANSWER s1 ONLINE 0/50
wait 1
w station s1
    [239999] g < ANSWER s1 OFFLINE 0/50
w heart s1
    [239999] g < ANSWER s1 ONLINE 0/50

== a heartbeat of an unknown worker makes a shadow that is told to register
gateway g
    [     0] g < WELCOME
http w fleet via=g
w heart s9 take=5
    [     0] g < ANSWER s9 ONLINE 0/50 shadow waiting 1
             #1 register to s9
w station s9
    [     0] g < ANSWER s9 ONLINE 0/50 shadow waiting 1
w register s9
    [     0] g < ANSWER s9 ONLINE 0/50
w heart s9 take=5
    [     0] g < ANSWER s9 ONLINE 0/50

== heartbeats touch the disk when something changed, else once in five minutes
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
hold
wait 30000
w heart s1 has=a:CONNECTED whole
unwritten
    [ 30000] something is to be written
go
    [ 30000] g < ANSWER s1 ONLINE 1/50
hold
wait 100000
w heart s1 has=a:CONNECTED whole
wait 100000
w heart s1 has=a:CONNECTED whole
wait 69999
w heart s1 has=a:CONNECTED whole
unwritten
    [299999] nothing is to be written
wait 30001
w heart s1 has=a:CONNECTED whole
unwritten
    [330000] something is to be written

== unregistering may be repeated; nobody who was never seen can
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w leave s1
    [     0] g < ANSWER s1 OFFLINE 0/50 left
w leave s1
    [     0] g < ANSWER s1 OFFLINE 0/50 left
w leave s2
    [     0] g < ANSWER WORKER_NOT_FOUND
w stations all
    [     0] g < ROWS
             s1 OFFLINE 0/50 left
             of 1
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w leave s1 endpoint=http://old
    [     0] g < ANSWER s1 ONLINE 0/50
w station s1
    [     0] g < ANSWER s1 ONLINE 0/50

== an administrator creates, changes and removes
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
client u
    [     0] u < WELCOME
u create s1
    [     0] u < ANSWER FORBIDDEN
a create s1 max=5 endpoint=http://one
    [     0] a < ANSWER s1 OFFLINE 0/5
a create s1
    [     0] a < ANSWER CONFLICT
a change s1 max=7
    [     0] a < ANSWER s1 OFFLINE 0/7
a change s2 max=7
    [     0] a < ANSWER WORKER_NOT_FOUND
a change s1 max=0
    [     0] a < ANSWER VALIDATION_ERROR
w register s1 endpoint=http://one
    [     0] g < ANSWER s1 ONLINE 0/7
a leave s1 remove
    [     0] a < ANSWER s1 OFFLINE 0/7
a station s1
    [     0] a < ANSWER WORKER_NOT_FOUND
a leave s1 remove
    [     0] a < ANSWER s1 OFFLINE 0/7
a stations all
    [     0] a < ROWS
             of 0
w leave s1 remove
    [     0] g < ANSWER FORBIDDEN

== maintenance by an administrator is not ended by a heartbeat
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
a change s1 status=MAINTENANCE
    [     0] a < ANSWER s1 MAINTENANCE 0/50
w heart s1 status=ONLINE
    [     0] g < ANSWER s1 MAINTENANCE 0/50
w register s1
    [     0] g < ANSWER s1 MAINTENANCE 0/50
a change s1 status=ONLINE
    [     0] a < ANSWER s1 ONLINE 0/50
w heart s1
    [     0] g < ANSWER s1 ONLINE 0/50

== a worker that drains takes no sessions, and is told so when an administrator wants it
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 draining=1
    [     0] g < ANSWER s1 ONLINE 0/50 draining
u add one
    [     0] u < ANSWER one DISCONNECTED
u connect one
    [     0] u < ANSWER NO_AVAILABLE_WORKERS
w heart s1 draining=0
    [     0] g < ANSWER s1 ONLINE 0/50
u connect one
    [     0] u < ANSWER one INIT at s1
a change s1 draining=1
    [     0] a < ANSWER s1 ONLINE 1/50 draining waiting 2
w heart s1 take=5
    [     0] g < ANSWER s1 ONLINE 1/50 draining waiting 2
             #1 create one to s1
             #2 drain to s1

== lists: status, words, room, pages
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
many 5 s w register %
    [     0] g < ANSWER s1 ONLINE 0/50
    [     0] g < ANSWER s2 ONLINE 0/50
    [     0] g < ANSWER s3 ONLINE 0/50
    [     0] g < ANSWER s4 ONLINE 0/50
    [     0] g < ANSWER s5 ONLINE 0/50
a change s2 status=MAINTENANCE
    [     0] a < ANSWER s2 MAINTENANCE 0/50
w leave s3
    [     0] g < ANSWER s3 OFFLINE 0/50 left
w stations all limit=2
    [     0] g < ROWS
             s1 ONLINE 0/50
             s2 MAINTENANCE 0/50
             of 5
w stations all limit=2 offset=4
    [     0] g < ROWS
             s5 ONLINE 0/50
             of 5
w stations all status=OFFLINE
    [     0] g < ROWS
             s3 OFFLINE 0/50 left
             of 1
w stations all room
    [     0] g < ROWS
             s1 ONLINE 0/50
             s4 ONLINE 0/50
             s5 ONLINE 0/50
             of 3
w stations all search=TP://S4
    [     0] g < ROWS
             s4 ONLINE 0/50
             of 1
w fleet count
    [     0] g < ANSWER online 3 offline 1 maintenance 1, seats 0 of 150, waiting 0

== no more than may be; one that was removed makes room
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
limits stations=2
gateway g2
    [     0] g2 < WELCOME
http w2 fleet via=g2
client a2 admin
    [     0] a2 < WELCOME
w2 register s1
    [     0] g2 < ANSWER s1 ONLINE 0/50
w2 register s2
    [     0] g2 < ANSWER s2 ONLINE 0/50
w2 register s3
    [     0] g2 < ANSWER LIMIT_REACHED
w2 heart s4
    [     0] g2 < ANSWER LIMIT_REACHED
a2 leave s1 remove
    [     0] a2 < ANSWER s1 OFFLINE 0/50
w2 register s3
    [     0] g2 < ANSWER s3 ONLINE 0/50

== another brand has its own
gateway g
    [     0] g < WELCOME
http w fleet via=g
http v fleet via=g brand=2
w register s1 endpoint=http://one
    [     0] g < ANSWER s1 ONLINE 0/50
v register s1 endpoint=http://one
    [     0] g < ANSWER s1 ONLINE 0/50
v leave s1
    [     0] g < ANSWER s1 OFFLINE 0/50 left
w station s1
    [     0] g < ANSWER s1 ONLINE 0/50

== all of it survives the broker's process
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
w register s1 max=3 version=2.0.0
    [     0] g < ANSWER s1 ONLINE 0/3
w heart s2 status=MAINTENANCE
    [     0] g < ANSWER s2 MAINTENANCE 0/50 shadow waiting 1
w register s3
    [     0] g < ANSWER s3 ONLINE 0/50
w leave s3
    [     0] g < ANSWER s3 OFFLINE 0/50 left
crash
    [     0] the broker is back
gateway g4
    [     0] g4 < WELCOME
http w4 fleet via=g4
w4 stations all
    [     0] g4 < ROWS
             s1 ONLINE 0/3
             s2 MAINTENANCE 0/50 shadow waiting 1
             s3 OFFLINE 0/50 left
             of 3
wait 120000
w4 stations all
    [120000] g4 < ROWS
             s1 OFFLINE 0/3
             s2 OFFLINE 0/50 shadow waiting 1
             s3 OFFLINE 0/50 left
             of 3

== what is not in order is refused
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register ""
    [     0] g < ANSWER VALIDATION_ERROR
w register s1 endpoint=""
    [     0] g < ANSWER VALIDATION_ERROR
w register s1 max=99999
    [     0] g < ANSWER VALIDATION_ERROR
u register s1
    [     0] u < ANSWER FORBIDDEN
u heart s1
    [     0] u < ANSWER FORBIDDEN
u stations all
    [     0] u < ROWS
             of 0

== stations are told of on the feed
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
u feed now
    [     0] u < ROWS
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
u feed on
    [     0] u < ROWS worker_status_updated s1 s1 ONLINE 0/50
wait 120000
u feed on
    [120000] u < ROWS worker_status_updated s1 s1 OFFLINE 0/50

== a worker may say itself that it is offline, or has another status
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1 status=MAINTENANCE
    [     0] g < ANSWER s1 MAINTENANCE 0/50
w heart s1 status=ONLINE
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
w heart s1 status=OFFLINE
    [     0] g < ANSWER s1 OFFLINE 1/50
u session a
    [     0] u < ANSWER a DISCONNECTED at s1 recovering
w heart s1 status=OFFLINE
    [     0] g < ANSWER s1 OFFLINE 1/50
w heart s1 status=ONLINE
    [     0] g < ANSWER s1 ONLINE 1/50
u session a
    [     0] u < ANSWER a CONNECTED at s1
w register s1 status=OFFLINE
    [     0] g < ANSWER s1 OFFLINE 1/50
             a DISCONNECTED at s1 recovering

== who is neither worker nor user sees nothing
gateway g
    [     0] g < WELCOME
http x via=g
x stations all
    [     0] g < ROWS FORBIDDEN
x fleet count
    [     0] g < ANSWER FORBIDDEN
x station s1
    [     0] g < ANSWER FORBIDDEN
x session a
    [     0] g < ANSWER FORBIDDEN
x commands s1
    [     0] g < ANSWER FORBIDDEN
