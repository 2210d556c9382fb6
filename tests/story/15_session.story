# Sessions of dialect 003: what their users ask for, what workers report, where they are.

== connect takes the least loaded worker with room; a draining or full one gets none
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1 max=2
    [     0] g < ANSWER s1 ONLINE 0/2
w register s2 max=10
    [     0] g < ANSWER s2 ONLINE 0/10
u add a
    [     0] u < ANSWER a DISCONNECTED
u connect a
    [     0] u < ANSWER a INIT at s1
u add b
    [     0] u < ANSWER b DISCONNECTED
u connect b
    [     0] u < ANSWER b INIT at s2
u add c
    [     0] u < ANSWER c DISCONNECTED
u connect c
    [     0] u < ANSWER c INIT at s2
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/2 waiting 1
             #1 create a to s1
w heart s2 take=9
    [     0] g < ANSWER s2 ONLINE 2/10 waiting 2
             #2 create b to s2
             #3 create c to s2

== equal loads go by age, and no room is said
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
u add a
    [     0] u < ANSWER a DISCONNECTED
u connect a
    [     0] u < ANSWER NO_AVAILABLE_WORKERS
w register s1 max=1
    [     0] g < ANSWER s1 ONLINE 0/1
w register s2 max=1
    [     0] g < ANSWER s2 ONLINE 0/1
u connect a
    [     0] u < ANSWER a INIT at s1
u add b
    [     0] u < ANSWER b DISCONNECTED
u connect b
    [     0] u < ANSWER b INIT at s2
u add c
    [     0] u < ANSWER c DISCONNECTED
u connect c
    [     0] u < ANSWER NO_AVAILABLE_WORKERS
u session c
    [     0] u < ANSWER c DISCONNECTED

== connected or on its way, it cannot be connected again
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
u add a
    [     0] u < ANSWER a DISCONNECTED
u connect a
    [     0] u < ANSWER a INIT at s1
u connect a
    [     0] u < ANSWER CONFLICT "the session is already being connected"
w says a station=s1 status=QR_REQUIRED
    [     0] g < ANSWER a QR_REQUIRED at s1
u connect a
    [     0] u < ANSWER CONFLICT "the session is already being connected"
w says a station=s1 status=CONNECTED phone=+62811
    [     0] g < ANSWER a CONNECTED at s1 phone +62811
u connect a
    [     0] u < ANSWER CONFLICT "the session is already connected"
w says a station=s1 status=ERROR text=banned
    [     0] g < ANSWER a ERROR at s1 phone +62811 "banned"
u connect a
    [     0] u < ANSWER a INIT at s1 phone +62811

== a session exists once, in its brand
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
client v brand=2
    [     0] v < WELCOME
u add a owner=ann title=first
    [     0] u < ANSWER a DISCONNECTED
u add a
    [     0] u < ANSWER CONFLICT
v add a
    [     0] v < ANSWER a DISCONNECTED
u session a owner=ann
    [     0] u < ANSWER a DISCONNECTED
u session a owner=bob
    [     0] u < ANSWER NOT_FOUND
u connect a owner=bob
    [     0] u < ANSWER NOT_FOUND
v session b
    [     0] v < ANSWER NOT_FOUND

== a session that nobody knows is created where it is reported
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w says x station=s1 status=CONNECTED phone=+6281
    [     0] g < ANSWER x CONNECTED at s1 phone +6281
w heart s1 has=x:CONNECTED,y:INIT whole
    [     0] g < ANSWER s1 ONLINE 2/50
u session y
    [     0] u < ANSWER y INIT at s1
w says z status=QR_REQUIRED
    [     0] g < ANSWER z QR_REQUIRED
u session z
    [     0] u < ANSWER z QR_REQUIRED

== an older report changes nothing; another clock is no measure
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w says a station=s1 status=CONNECTED time=2000
    [     0] g < ANSWER a CONNECTED at s1
w says a station=s1 status=QR_REQUIRED time=1000
    [     0] g < ANSWER a CONNECTED at s1 as it was
w says a station=s1 status=QR_REQUIRED time=2000
    [     0] g < ANSWER a QR_REQUIRED at s1
w says a station=s1 status=DISCONNECTED
    [     0] g < ANSWER a DISCONNECTED at s1
w says a station=s1 status=CONNECTED time=1800000000000
    [     0] g < ANSWER a CONNECTED at s1
w says a station=s1 status=ERROR time=1700000000000
    [     0] g < ANSWER a ERROR at s1

== what a whole list leaves out is disconnected
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED,c:ERROR
    [     0] g < ANSWER s1 ONLINE 3/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 3/50
w heart s1 has=a:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 3/50
u session b
    [     0] u < ANSWER b DISCONNECTED at s1 "the worker no longer lists it"
u session c
    [     0] u < ANSWER c ERROR at s1
u connect b
    [     0] u < ANSWER b INIT at s1
w heart s1 has=a:CONNECTED whole take=9
    [     0] g < ANSWER s1 ONLINE 3/50 waiting 1
             #1 create b to s1
w heart s1 has=a:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 3/50 waiting 1
u session b
    [     0] u < ANSWER b INIT at s1
w heart s1 has=a:CONNECTED,b:INIT whole
    [     0] g < ANSWER s1 ONLINE 3/50
w station s1
    [     0] g < ANSWER s1 ONLINE 3/50
             a CONNECTED at s1
             b INIT at s1
             c ERROR at s1

== two workers say they have it: the second is told to stop
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 1/50
w heart s2 has=a:CONNECTED whole take=9
    [     0] g < ANSWER s2 ONLINE 0/50 waiting 1
             #1 disconnect a to s2
w heart s2 has=a:CONNECTED whole take=9
    [     0] g < ANSWER s2 ONLINE 0/50 waiting 1
u session a
    [     0] u < ANSWER a CONNECTED at s1
w says a station=s2 status=DISCONNECTED
    [     0] g < ANSWER a CONNECTED at s1 as it was
u session a
    [     0] u < ANSWER a CONNECTED at s1
wait 20000
w heart s2 take=9
    [ 20000] g < ANSWER s2 ONLINE 0/50
w heart s2 has=a:DISCONNECTED whole
    [ 20000] g < ANSWER s2 ONLINE 0/50

== one that reported it gone gives it up to who has it
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 1/50
w heart s1 has=b:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 2/50
w heart s2 has=a:CONNECTED whole
    [     0] g < ANSWER s2 ONLINE 1/50
u session a
    [     0] u < ANSWER a CONNECTED at s2

== disconnect: at once for its user, and the seat is free when the worker is done
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1 max=1
    [     0] g < ANSWER s1 ONLINE 0/1
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/1
u disconnect a
    [     0] u < ANSWER a DISCONNECTED at s1
w heart s1 has=a:CONNECTED whole take=9
    [     0] g < ANSWER s1 ONLINE 1/1 waiting 1
             #1 disconnect a to s1
u session a
    [     0] u < ANSWER a DISCONNECTED at s1
u add b
    [     0] u < ANSWER b DISCONNECTED
u connect b
    [     0] u < ANSWER NO_AVAILABLE_WORKERS
w says a station=s1 status=DISCONNECTED
    [     0] g < ANSWER a DISCONNECTED
u session a
    [     0] u < ANSWER a DISCONNECTED
u connect b
    [     0] u < ANSWER b INIT at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/1 waiting 1
             #2 create b to s1

== an order that no worker ever obeys is given up, and what is reported is the truth again
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u disconnect a
    [     0] u < ANSWER a DISCONNECTED at s1
many 5 x w heart s1 take=1 has=a:CONNECTED beat=%
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 disconnect a to s1
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
u session a
    [     0] u < ANSWER a DISCONNECTED at s1
wait 20000
w heart s1 has=a:CONNECTED take=1
    [ 20000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 disconnect a to s1 again
wait 20000
w heart s1 has=a:CONNECTED take=1
    [ 40000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 disconnect a to s1 again
wait 20000
w heart s1 has=a:CONNECTED take=1
    [ 60000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 disconnect a to s1 again
wait 20000
w heart s1 has=a:CONNECTED take=1
    [ 80000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 disconnect a to s1 again
wait 20000
w heart s1 has=a:CONNECTED take=1
    [100000] g < ANSWER s1 ONLINE 1/50
w heart s1 has=a:CONNECTED take=1
    [100000] g < ANSWER s1 ONLINE 1/50
u session a
    [100000] u < ANSWER a CONNECTED at s1

== logout forgets whose phone it was
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w says a station=s1 status=CONNECTED phone=+62811
    [     0] g < ANSWER a CONNECTED at s1 phone +62811
u logout a
    [     0] u < ANSWER a DISCONNECTED at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 logout a to s1
w heart s1 whole has=b:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u session a
    [     0] u < ANSWER a DISCONNECTED

== a deleted session is not found at once, and cannot come back by an old heartbeat
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u delete a
    [     0] u < ANSWER a DISCONNECTED at s1
u session a
    [     0] u < ANSWER NOT_FOUND
u add a
    [     0] u < ANSWER CONFLICT
w heart s1 has=a:CONNECTED whole take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 delete a to s1
u session a
    [     0] u < ANSWER NOT_FOUND
w says a station=s1 deleted
    [     0] g < ANSWER a DISCONNECTED at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 0/50
u add a
    [     0] u < ANSWER a DISCONNECTED
u delete a
    [     0] u < ANSWER a DISCONNECTED
u session a
    [     0] u < ANSWER NOT_FOUND
w heart s1 has=b:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u delete b
    [     0] u < ANSWER b DISCONNECTED at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #2 delete b to s1
w heart s1 whole has=c:INIT
    [     0] g < ANSWER s1 ONLINE 1/50
u add b
    [     0] u < ANSWER b DISCONNECTED

== restart
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u restart a
    [     0] u < ANSWER a RECONNECTING at s1
w heart s1 has=a:CONNECTED take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 restart a to s1
u session a
    [     0] u < ANSWER a CONNECTED at s1
w heart s1 has=a:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 1/50
w station s1
    [     0] g < ANSWER s1 ONLINE 1/50
             a CONNECTED at s1
u add b
    [     0] u < ANSWER b DISCONNECTED
u restart b
    [     0] u < ANSWER b INIT at s1

== connect goes back to where it is, when that still takes sessions
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:DISCONNECTED,b:CONNECTED,c:CONNECTED
    [     0] g < ANSWER s1 ONLINE 3/50
u connect a
    [     0] u < ANSWER a INIT at s1
w heart s1 draining=1 has=b:DISCONNECTED
    [     0] g < ANSWER s1 ONLINE 3/50 draining waiting 1
u connect b
    [     0] u < ANSWER b INIT at s2
w station s1
    [     0] g < ANSWER s1 ONLINE 2/50 draining waiting 1
             a INIT at s1
             c CONNECTED at s1
w station s2
    [     0] g < ANSWER s2 ONLINE 1/50 waiting 1
             b INIT at s2

== ended where no more is taken, connected elsewhere and deleted there: it runs on nowhere
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 2/50
u disconnect a
    [     0] u < ANSWER a DISCONNECTED at s1
w heart s1 draining=1
    [     0] g < ANSWER s1 ONLINE 2/50 draining waiting 1
u connect a
    [     0] u < ANSWER a INIT at s2
u delete a
    [     0] u < ANSWER a DISCONNECTED at s2
w heart s2 has=b:DISCONNECTED whole take=9
    [     0] g < ANSWER s2 ONLINE 0/50
u session a
    [     0] u < ANSWER NOT_FOUND
w heart s1 has=a:CONNECTED,b:CONNECTED whole take=9
    [     0] g < ANSWER s1 ONLINE 1/50 draining waiting 1
             #1 disconnect a to s1
u session a
    [     0] u < ANSWER NOT_FOUND
w heart s1 has=b:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 1/50 draining
w station s1
    [     0] g < ANSWER s1 ONLINE 1/50 draining
             b CONNECTED at s1

== an order to end it stays with the worker that it was for until that is done
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 2/50
u logout a
    [     0] u < ANSWER a DISCONNECTED at s1
w heart s1 draining=1 take=9
    [     0] g < ANSWER s1 ONLINE 2/50 draining waiting 1
             #1 logout a to s1
u connect a
    [     0] u < ANSWER a INIT at s2
w heart s2 take=9
    [     0] g < ANSWER s2 ONLINE 1/50 waiting 1
             #2 create a to s2
w says a station=s2 status=CONNECTED
    [     0] g < ANSWER a CONNECTED at s2
w heart s1 has=a:CONNECTED,b:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 1/50 draining waiting 1
u session a
    [     0] u < ANSWER a CONNECTED at s2
wait 20000
w heart s1 has=a:CONNECTED,b:CONNECTED whole take=9
    [ 20000] g < ANSWER s1 ONLINE 1/50 draining waiting 1
             #1 logout a to s1 again
w says a station=s1 status=DISCONNECTED
    [ 20000] g < ANSWER a CONNECTED at s2 as it was
w heart s1 has=b:CONNECTED whole take=9
    [ 20000] g < ANSWER s1 ONLINE 1/50 draining
u session a
    [ 20000] u < ANSWER a CONNECTED at s2

== what was deleted while its worker was silent stays deleted, whatever comes of that worker first
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED,c:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 3/50
wait 120000
u delete a
    [120000] u < ANSWER a DISCONNECTED at s1 recovering
u delete b
    [120000] u < ANSWER b DISCONNECTED at s1 recovering
w says a station=s1 status=CONNECTED
    [120000] g < ANSWER NOT_FOUND
u session a
    [120000] u < ANSWER NOT_FOUND
u add b
    [120000] u < ANSWER b DISCONNECTED
w says b station=s1 status=CONNECTED
    [120000] g < ANSWER b DISCONNECTED as it was
crash
    [120000] the broker is back
gateway g2
    [120000] g2 < WELCOME
http w2 fleet via=g2
client u2
    [120000] u2 < WELCOME
u2 session b
    [120000] u2 < ANSWER b DISCONNECTED
w2 heart s1 has=a:CONNECTED,b:CONNECTED,c:CONNECTED whole take=9
    [120000] g2 < ANSWER s1 ONLINE 1/50 waiting 2
             #1 delete a to s1
             #2 delete b to s1
u2 session a
    [120000] u2 < ANSWER NOT_FOUND
u2 session b
    [120000] u2 < ANSWER b DISCONNECTED
w2 says b station=s1 deleted
    [120000] g2 < ANSWER b DISCONNECTED as it was
u2 session b
    [120000] u2 < ANSWER b DISCONNECTED
w2 heart s1 has=c:CONNECTED whole take=9
    [120000] g2 < ANSWER s1 ONLINE 1/50
u2 connect b
    [120000] u2 < ANSWER b INIT at s1
w2 station s1
    [120000] g2 < ANSWER s1 ONLINE 2/50 waiting 1
             c CONNECTED at s1
             b INIT at s1

== that it is gone counts from the worker it is with
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 1/50
w says a station=nobody deleted
    [     0] g < ANSWER a CONNECTED at s1 as it was
w heart s2 has=a:CONNECTED whole take=9
    [     0] g < ANSWER s2 ONLINE 0/50 waiting 1
             #1 disconnect a to s2
w says a station=s2 deleted
    [     0] g < ANSWER a CONNECTED at s1 as it was
wait 20000
w heart s2 take=9
    [ 20000] g < ANSWER s2 ONLINE 0/50
u session a
    [ 20000] u < ANSWER a CONNECTED at s1
w says a station=s1 deleted
    [ 20000] g < ANSWER a DISCONNECTED at s1
u session a
    [ 20000] u < ANSWER NOT_FOUND

== no more sessions than may be
client u
    [     0] u < WELCOME
limits sessions=2
client u2
    [     0] u2 < WELCOME
gateway g2
    [     0] g2 < WELCOME
http w2 fleet via=g2
u2 add a
    [     0] u2 < ANSWER a DISCONNECTED
u2 add b
    [     0] u2 < ANSWER b DISCONNECTED
u2 add c
    [     0] u2 < ANSWER LIMIT_REACHED
w2 register s1
    [     0] g2 < ANSWER s1 ONLINE 0/50
w2 heart s1 has=x:CONNECTED,y:INIT
    [     0] g2 < ANSWER s1 ONLINE 0/50 lost 2
w2 says z status=INIT
    [     0] g2 < ANSWER LIMIT_REACHED

== what is not in order is refused
client u
    [     0] u < WELCOME
gateway g
    [     0] g < WELCOME
http w fleet via=g
u says a status=CONNECTED
    [     0] u < ANSWER FORBIDDEN
w add a
    [     0] g < ANSWER FORBIDDEN
u session a
    [     0] u < ANSWER NOT_FOUND
u connect a
    [     0] u < ANSWER NOT_FOUND
u add ""
    [     0] u < ANSWER VALIDATION_ERROR
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w says a station=nobody status=CONNECTED
    [     0] g < ANSWER a CONNECTED
w says a station=s1 deleted
    [     0] g < ANSWER a DISCONNECTED
w says a station=s1 deleted
    [     0] g < ANSWER NOT_FOUND

== sessions are told of on the feed
client u
    [     0] u < WELCOME
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
u feed now
    [     0] u < ROWS
u add a
    [     0] u < ANSWER a DISCONNECTED
u connect a
    [     0] u < ANSWER a INIT at s1
w says a station=s1 status=CONNECTED
    [     0] g < ANSWER a CONNECTED at s1
u feed on
    [     0] u < ROWS session_status_changed a a DISCONNECTED, session_status_changed a a INIT at s1, session_status_changed a a CONNECTED at s1

== a deleted session whose worker never obeys is created again when it was given up
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u delete a
    [     0] u < ANSWER a DISCONNECTED at s1
quiet
w heart s1 has=a:CONNECTED take=1
wait 20000
w heart s1 has=a:CONNECTED take=1
wait 20000
w heart s1 has=a:CONNECTED take=1
wait 20000
w heart s1 has=a:CONNECTED take=1
wait 20000
w heart s1 has=a:CONNECTED take=1
loud
u session a
    [ 80000] u < ANSWER NOT_FOUND
wait 20000
w heart s1 has=a:CONNECTED take=1
    [100000] g < ANSWER s1 ONLINE 0/50
u session a
    [100000] u < ANSWER NOT_FOUND
w heart s1 has=a:CONNECTED take=1
    [100000] g < ANSWER s1 ONLINE 1/50
u session a
    [100000] u < ANSWER a CONNECTED at s1

== long words are cut, and no character in its middle
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w says a station=s1 status=ERROR text=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxéyyyyyyyyyyyyyyyyyyyy
    [     0] g < ANSWER a ERROR at s1 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

== a session whose worker never takes the order can be connected again
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
u add a
    [     0] u < ANSWER a DISCONNECTED
u connect a
    [     0] u < ANSWER a INIT at s1
quiet
w heart s1 take=1
wait 20000
w heart s1 take=1
wait 20000
w heart s1 take=1
wait 20000
w heart s1 take=1
wait 20000
w heart s1 take=1
wait 20000
loud
u connect a
    [100000] u < ANSWER CONFLICT "the session is already being connected"
w heart s1 take=1
    [100000] g < ANSWER s1 ONLINE 1/50
u session a
    [100000] u < ANSWER a DISCONNECTED at s1 "the worker did not take the order"
u connect a
    [100000] u < ANSWER a INIT at s1
