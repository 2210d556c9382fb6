# Recovery: sessions whose worker of dialect 003 has gone.

== a dead worker's sessions are disconnected, and move when it does not come back
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:QR_REQUIRED,c:ERROR,d:RECONNECTING
    [     0] g < ANSWER s1 ONLINE 4/50
wait 60000
w register s2
    [ 60000] g < ANSWER s2 ONLINE 0/50
wait 60000
u session a
    [120000] u < ANSWER a DISCONNECTED at s1 recovering
u session b
    [120000] u < ANSWER b DISCONNECTED at s1 recovering
u session c
    [120000] u < ANSWER c ERROR at s1
w station s1
    [120000] g < ANSWER s1 OFFLINE 4/50
             a DISCONNECTED at s1 recovering
             b DISCONNECTED at s1 recovering
             c ERROR at s1
             d DISCONNECTED at s1 recovering
wait 3002
w station s1
    [123002] g < ANSWER s1 OFFLINE 0/50 waiting 3
w station s2
    [123002] g < ANSWER s2 ONLINE 3/50 waiting 3
             a DISCONNECTED at s2 recovering
             b DISCONNECTED at s2 recovering
             d DISCONNECTED at s2 recovering
u session c
    [123002] u < ANSWER c ERROR
w heart s2 take=9
    [123002] g < ANSWER s2 ONLINE 3/50 waiting 3
             #1 create a to s2
             #2 create b to s2
             #3 create d to s2

== silence that ends in time changes nothing
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:ERROR
    [     0] g < ANSWER s1 ONLINE 2/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
wait 100000
w heart s2
    [100000] g < ANSWER s2 ONLINE 0/50
wait 20000
u session a
    [120000] u < ANSWER a DISCONNECTED at s1 recovering
wait 2999
w heart s1 take=9
    [122999] g < ANSWER s1 ONLINE 2/50
u session a
    [122999] u < ANSWER a CONNECTED at s1
wait 60000
w station s2
    [182999] g < ANSWER s2 ONLINE 0/50

== a worker that is started again in time has its sessions, each to be made again
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:DISCONNECTED
    [     0] g < ANSWER s1 ONLINE 2/50
w leave s1
    [     0] g < ANSWER s1 OFFLINE 2/50 left lost 1
u session a
    [     0] u < ANSWER a DISCONNECTED at s1 recovering
wait 1000
w register s1
    [  1000] g < ANSWER s1 ONLINE 2/50 waiting 1
             a DISCONNECTED at s1 recovering
             b DISCONNECTED at s1
w heart s1 take=9
    [  1000] g < ANSWER s1 ONLINE 2/50 waiting 1
             #1 create a to s1
w heart s1 has=a:CONNECTED
    [  1000] g < ANSWER s1 ONLINE 2/50
u session a
    [  1000] u < ANSWER a CONNECTED at s1

== least loaded first, and nobody gets more than it has room for
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED,c:CONNECTED,d:CONNECTED
    [     0] g < ANSWER s1 ONLINE 4/50
w register s2 max=1
    [     0] g < ANSWER s2 ONLINE 0/1
w register s3 max=2
    [     0] g < ANSWER s3 ONLINE 0/2
w leave s1
    [     0] g < ANSWER s1 OFFLINE 4/50 left lost 4
w fleet count
    [     0] g < ANSWER online 2 offline 1 maintenance 0, seats 0 of 3, waiting 0, DISCONNECTED 4
wait 3002
w stations all
    [  3002] g < ROWS
             s1 OFFLINE 1/50 left
             s2 ONLINE 1/1 waiting 1
             s3 ONLINE 2/2 waiting 2
             of 3
w fleet count
    [  3002] g < ANSWER online 2 offline 1 maintenance 0, seats 3 of 3, waiting 1, DISCONNECTED 4
w register s4
    [  3002] g < ANSWER s4 ONLINE 0/50
wait 2
w stations all
    [  3004] g < ROWS
             s1 OFFLINE 0/50 left
             s2 ONLINE 1/1 waiting 1
             s3 ONLINE 2/2 waiting 2
             s4 ONLINE 1/50 waiting 1
             of 4
w fleet count
    [  3004] g < ANSWER online 3 offline 1 maintenance 0, seats 4 of 53, waiting 0, DISCONNECTED 4

== what waits moves when room appears: a seat is freed, a worker comes, a limit is raised
gateway g
    [     0] g < WELCOME
http w fleet via=g
client a admin
    [     0] a < WELCOME
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED
    [     0] g < ANSWER s1 ONLINE 2/50
w register s2 max=1
    [     0] g < ANSWER s2 ONLINE 0/1
w heart s2 has=x:CONNECTED
    [     0] g < ANSWER s2 ONLINE 1/1
w leave s1
    [     0] g < ANSWER s1 OFFLINE 2/50 left lost 2
wait 3002
w station s2
    [  3002] g < ANSWER s2 ONLINE 1/1
             x CONNECTED at s2
w says x station=s2 deleted
    [  3002] g < ANSWER x DISCONNECTED at s2
wait 2
w station s2
    [  3004] g < ANSWER s2 ONLINE 1/1 waiting 1
             a DISCONNECTED at s2 recovering
a change s2 max=2
    [  3004] a < ANSWER s2 ONLINE 1/2 waiting 1
wait 2
w station s2
    [  3006] g < ANSWER s2 ONLINE 2/2 waiting 2
             a DISCONNECTED at s2 recovering
             b DISCONNECTED at s2 recovering

== one that comes back after its sessions moved is told to stop them
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
wait 60000
w register s2
    [ 60000] g < ANSWER s2 ONLINE 0/50
wait 60000
wait 3002
w station s2
    [123002] g < ANSWER s2 ONLINE 1/50 waiting 1
             a DISCONNECTED at s2 recovering
w heart s2 has=a:INIT
    [123002] g < ANSWER s2 ONLINE 1/50
w heart s1 take=9 has=a:CONNECTED whole
    [123002] g < ANSWER s1 ONLINE 0/50 waiting 1
             #1 disconnect a to s1
u session a
    [123002] u < ANSWER a INIT at s2
w heart s1 take=9 has=z:CONNECTED whole
    [123002] g < ANSWER s1 ONLINE 1/50

== it comes up where it was before it was started where it went
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
w leave s1
    [     0] g < ANSWER s1 OFFLINE 1/50 left lost 1
wait 5000
w heart s1 take=9 has=a:CONNECTED whole
    [  5000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 register to s1
u session a
    [  5000] u < ANSWER a CONNECTED at s1

== messages go with their session, behind the order to make it
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u send a key=m1 payload=x
    [     0] u < ANSWER a CONNECTED at s1
u send a key=m2 payload=y
    [     0] u < ANSWER a CONNECTED at s1
w leave s1
    [     0] g < ANSWER s1 OFFLINE 1/50 left waiting 2 lost 1
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
wait 3002
w heart s2 take=9
    [  3002] g < ANSWER s2 ONLINE 1/50 waiting 3
             #1 create a to s2
             #2 send a to s2 "x"
             #3 send a to s2 "y"

== messages of a session whose worker was removed wait with it
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
client a admin
    [     0] a < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u send a key=m1 payload=x
    [     0] u < ANSWER a CONNECTED at s1
a leave s1 remove
    [     0] a < ANSWER s1 OFFLINE 0/50 waiting 1 lost 1
u session a
    [     0] u < ANSWER a DISCONNECTED recovering
w fleet count
    [     0] g < ANSWER online 0 offline 0 maintenance 0, seats 0 of 0, waiting 1, DISCONNECTED 1
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
wait 2
w heart s2 take=9
    [     2] g < ANSWER s2 ONLINE 1/50 waiting 2
             #1 create a to s2
             #2 send a to s2 "x"

== a session that its user ended or deleted does not move
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED,c:CONNECTED
    [     0] g < ANSWER s1 ONLINE 3/50
u disconnect a
    [     0] u < ANSWER a DISCONNECTED at s1
u delete b
    [     0] u < ANSWER b DISCONNECTED at s1
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w leave s1
    [     0] g < ANSWER s1 OFFLINE 1/50 left lost 1
wait 3002
u session a
    [  3002] u < ANSWER a DISCONNECTED
u session b
    [  3002] u < ANSWER NOT_FOUND
u session c
    [  3002] u < ANSWER c DISCONNECTED at s2 recovering
w heart s2 has=a:CONNECTED take=9
    [  3002] g < ANSWER s2 ONLINE 1/50 waiting 2
             #1 create c to s2
             #2 disconnect a to s2

== one that is being connected moves too
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
w leave s1
    [     0] g < ANSWER s1 OFFLINE 1/50 left waiting 1 lost 1
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
wait 3002
u session a
    [  3002] u < ANSWER a INIT at s2 recovering
w heart s2 take=9
    [  3002] g < ANSWER s2 ONLINE 1/50 waiting 1
             #1 create a to s2

== what waited before the broker's process died waits after it
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED
    [     0] g < ANSWER s1 ONLINE 2/50
w register s2 max=1
    [     0] g < ANSWER s2 ONLINE 0/1
w leave s1
    [     0] g < ANSWER s1 OFFLINE 2/50 left lost 2
wait 3002
w fleet count
    [  3002] g < ANSWER online 1 offline 1 maintenance 0, seats 1 of 1, waiting 1, DISCONNECTED 2
crash
    [  3002] the broker is back
gateway g2
    [  3002] g2 < WELCOME
http w2 fleet via=g2
client u2
    [  3002] u2 < WELCOME
w2 fleet count
    [  3002] g2 < ANSWER online 1 offline 1 maintenance 0, seats 1 of 1, waiting 0, DISCONNECTED 2
wait 3002
w2 register s3
    [  6004] g2 < ANSWER s3 ONLINE 0/50
wait 2
w2 stations all
    [  6006] g2 < ROWS
             s1 OFFLINE 0/50 left
             s2 ONLINE 1/1 waiting 1
             s3 ONLINE 1/50 waiting 1
             of 3
u2 session a
    [  6006] u2 < ANSWER a DISCONNECTED at s2 recovering
u2 session b
    [  6006] u2 < ANSWER b DISCONNECTED at s3 recovering

== a worker is not dead because the broker was away or stopped
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
wait 100000
crash
    [100000] the broker is back
gateway g2
    [100000] g2 < WELCOME
http w2 fleet via=g2
client u2
    [100000] u2 < WELCOME
wait 119999
w2 station s1
    [219999] g2 < ANSWER s1 ONLINE 1/50
             a CONNECTED at s1
stall 60000
w2 station s1
    [279999] g2 < ANSWER s1 ONLINE 1/50
             a CONNECTED at s1
wait 1
w2 station s1
    [280000] g2 < ANSWER s1 OFFLINE 1/50
             a DISCONNECTED at s1 recovering

== neither clock that is set moves a session
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
clock 86400000
wait 1
u session a
    [     1] u < ANSWER a CONNECTED at s1
clock -172800000
w heart s1 has=a:CONNECTED whole
    [     1] g < ANSWER s1 ONLINE 1/50
wait 119999
u session a
    [120000] u < ANSWER a CONNECTED at s1

== a worker that is started again while it counts as alive, and dies before its sessions are up
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED,c:ERROR
    [     0] g < ANSWER s1 ONLINE 3/50
w register s1
    [     0] g < ANSWER s1 ONLINE 3/50
             a CONNECTED at s1 recovering
             b CONNECTED at s1 recovering
             c ERROR at s1
w heart s1 has=b:CONNECTED whole
    [     0] g < ANSWER s1 ONLINE 3/50
u session a
    [     0] u < ANSWER a DISCONNECTED at s1 recovering "the worker no longer lists it"
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w leave s1
    [     0] g < ANSWER s1 OFFLINE 3/50 left lost 2
wait 3002
w station s2
    [  3002] g < ANSWER s2 ONLINE 2/50 waiting 2
             a DISCONNECTED at s2 recovering "the worker no longer lists it"
             b DISCONNECTED at s2 recovering

== a session that was deleted while its worker was away does not come back with it
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED,b:CONNECTED
    [     0] g < ANSWER s1 ONLINE 2/50
wait 120000
u delete a
    [120000] u < ANSWER a DISCONNECTED at s1 recovering
u disconnect b
    [120000] u < ANSWER b DISCONNECTED
u delete b
    [120000] u < ANSWER b DISCONNECTED
u session a
    [120000] u < ANSWER NOT_FOUND
wait 10000
w heart s1 has=a:CONNECTED,b:CONNECTED whole take=9
    [130000] g < ANSWER s1 ONLINE 0/50 waiting 2
             #1 delete a to s1
             #2 disconnect b to s1
w says a station=s1 status=CONNECTED
    [130000] g < ANSWER NOT_FOUND
u session a
    [130000] u < ANSWER NOT_FOUND
w heart s1 whole has=c:INIT
    [130000] g < ANSWER s1 ONLINE 1/50
u add a
    [130000] u < ANSWER a DISCONNECTED
u connect a
    [130000] u < ANSWER a INIT at s1
w heart s1 take=9
    [130000] g < ANSWER s1 ONLINE 2/50 waiting 1
             #3 create a to s1

== when very many fall silent at once it is we who are cut off: nothing moves for a minute
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
quiet
many 12 s w register %
w heart s1 has=a:CONNECTED
w heart s2 has=b:CONNECTED
loud
wait 120000
w fleet count
    [120000] g < ANSWER online 0 offline 12 maintenance 0, seats 0 of 0, waiting 0, DISCONNECTED 2
wait 20000
w heart s12
    [140000] g < ANSWER s12 ONLINE 0/50
w heart s1
    [140000] g < ANSWER s1 ONLINE 1/50
u session a
    [140000] u < ANSWER a CONNECTED at s1
u session b
    [140000] u < ANSWER b DISCONNECTED at s2 recovering
wait 42999
u session b
    [182999] u < ANSWER b DISCONNECTED at s2 recovering
wait 1002
u session b
    [184001] u < ANSWER b DISCONNECTED at s12 recovering

== a quarter of them is a quarter dead: their sessions move in time
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
quiet
many 12 s w register %
w heart s11 has=a:CONNECTED
w heart s12 has=b:CONNECTED
wait 60000
many 9 s w heart %
loud
wait 60000
w fleet count
    [120000] g < ANSWER online 9 offline 3 maintenance 0, seats 0 of 450, waiting 0, DISCONNECTED 2
u session a
    [120000] u < ANSWER a DISCONNECTED at s11 recovering
wait 3002
u session a
    [123002] u < ANSWER a DISCONNECTED at s1 recovering
