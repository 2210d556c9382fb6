# Commands: what workers of dialect 003 are told.

== in order, again after a while, until they are acknowledged
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u send a key=m1 payload=hello
    [     0] u < ANSWER a CONNECTED at s1
u send a key=m2 payload=world
    [     0] u < ANSWER a CONNECTED at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 2
             #1 send a to s1 "hello"
             #2 send a to s1 "world"
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 2
w commands s1 ack=#1
    [     0] g < ANSWER
wait 20000
w heart s1 take=9
    [ 20000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #2 send a to s1 "world" again
w commands s1 key=m2
    [ 20000] g < ANSWER
wait 20000
w heart s1 take=9
    [ 40000] g < ANSWER s1 ONLINE 1/50
w commands s1 key=m2
    [ 40000] g < ANSWER

== a message is only for a session that is connected
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
u add a
    [     0] u < ANSWER a DISCONNECTED
u send a key=m1 payload=x
    [     0] u < ANSWER SESSION_NOT_CONNECTED
u send b key=m1 payload=x
    [     0] u < ANSWER NOT_FOUND
w heart s1 has=a:QR_REQUIRED
    [     0] g < ANSWER s1 ONLINE 1/50
u manage a payload=x
    [     0] u < ANSWER SESSION_NOT_CONNECTED
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
u send a key=m1 payload=x
    [     0] u < ANSWER a CONNECTED at s1
u send a key=m1 payload=x
    [     0] u < ANSWER a CONNECTED at s1
u send a key=m2 size=65537
    [     0] u < ANSWER PAYLOAD_TOO_LARGE
wait 120000
u send a key=m3 payload=x
    [120000] u < ANSWER SESSION_NOT_CONNECTED

== after five deliveries it is over
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
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 send a to s1 "x"
wait 20000
w heart s1 take=9
    [ 20000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 send a to s1 "x" again
wait 20000
w heart s1 take=9
    [ 40000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 send a to s1 "x" again
wait 20000
w heart s1 take=9
    [ 60000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 send a to s1 "x" again
wait 20000
w heart s1 take=9
    [ 80000] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 send a to s1 "x" again
wait 20000
w heart s1 take=9
    [100000] g < ANSWER s1 ONLINE 1/50

== a worker waits for the next
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
w commands s1 wait=30000
wait 1000
u send a key=m1 payload=x
    [  1000] u < ANSWER a CONNECTED at s1
    [  1000] g < ANSWER
             #1 send a to s1 "x"
w commands s1 wait=30000
wait 20000
    [ 21000] g < ANSWER
             #1 send a to s1 "x" again
w commands s1 wait=5000
wait 5000
    [ 26000] g < ANSWER
w commands s1 wait=5000
w unwatch
u send a key=m2 payload=y
    [ 26000] u < ANSWER a CONNECTED at s1
wait 10000
w commands s1 limit=1
    [ 36000] g < ANSWER
             #2 send a to s1 "y"
w commands s2
    [ 36000] g < ANSWER WORKER_NOT_FOUND

== who pushes waits for the commands of all
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
w heart s2 has=b:CONNECTED
    [     0] g < ANSWER s2 ONLINE 1/50
w commands any wait=60000
u send a key=m1 payload=x
    [     0] u < ANSWER a CONNECTED at s1
    [     0] g < ANSWER
             #1 send a to s1 "x"
u send b key=m2 payload=y
    [     0] u < ANSWER b CONNECTED at s2
w commands any limit=1
    [     0] g < ANSWER
             #2 send b to s2 "y"
w commands any limit=1
    [     0] g < ANSWER
w commands any ack=#1
    [     0] g < ANSWER
w commands any key=m2
    [     0] g < ANSWER
wait 60000
w commands any
    [ 60000] g < ANSWER

== the newest order about a session is the only one
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
u disconnect a
    [     0] u < ANSWER a DISCONNECTED at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 disconnect a to s1
u connect a
    [     0] u < ANSWER a INIT at s1
w heart s1 take=9
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #2 create a to s1
w heart s1 has=a:INIT
    [     0] g < ANSWER s1 ONLINE 1/50
w station s1
    [     0] g < ANSWER s1 ONLINE 1/50
             a INIT at s1

== a worker's queue is bounded; orders are not messages
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
limits commands=2
gateway g2
    [     0] g2 < WELCOME
http w2 fleet via=g2
client u2
    [     0] u2 < WELCOME
w2 register s1
    [     0] g2 < ANSWER s1 ONLINE 0/50
w2 heart s1 has=a:CONNECTED,b:CONNECTED
    [     0] g2 < ANSWER s1 ONLINE 2/50
u2 send a key=m1 payload=x
    [     0] u2 < ANSWER a CONNECTED at s1
u2 send a key=m2 payload=x
    [     0] u2 < ANSWER a CONNECTED at s1
u2 send b key=m3 payload=x
    [     0] u2 < ANSWER BUSY
u2 disconnect b
    [     0] u2 < ANSWER b DISCONNECTED at s1
w2 station s1 take=9
    [     0] g2 < ANSWER s1 ONLINE 2/50 waiting 3
             a CONNECTED at s1
             b DISCONNECTED at s1
             #1 send a to s1 "x"
             #2 send a to s1 "x"
             #3 disconnect b to s1

== commands survive the broker's process, in order
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
w heart s1 take=1
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 2
             #1 send a to s1 "x"
hold
u send a key=m3 payload=z
crash
    [     0] the broker is back
gateway g2
    [     0] g2 < WELCOME
http w2 fleet via=g2
go
w2 heart s1 take=9
    [     0] g2 < ANSWER s1 ONLINE 1/50 waiting 2
             #1 send a to s1 "x"
             #2 send a to s1 "y"

== the answer of a fetch shows nothing that a crash could take back
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
hold
u send a key=m1 payload=x
w heart s1 take=9
go
    [     0] u < ANSWER a CONNECTED at s1
    [     0] g < ANSWER s1 ONLINE 1/50 waiting 1
             #1 send a to s1 "x"

== a worker that dies ends its wait; one whose gateway goes has none
gateway g
    [     0] g < WELCOME
gateway h
    [     0] h < WELCOME
http w fleet via=g
http v fleet via=h
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
v register s2
    [     0] h < ANSWER s2 ONLINE 0/50
w commands s1 wait=60000
v commands s2 wait=60000
h gone
wait 60000
    [ 60000] g < ANSWER
w commands s1 wait=60000
wait 30000
w leave s1
    [ 90000] g < ANSWER
    [ 90000] g < ANSWER s1 OFFLINE 0/50 left

== who pushes is woken when a command is to be given again
gateway g
    [     0] g < WELCOME
http w fleet via=g
client u
    [     0] u < WELCOME
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w register s2
    [     0] g < ANSWER s2 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
w heart s2 has=b:CONNECTED
    [     0] g < ANSWER s2 ONLINE 1/50
u send a key=m1 payload=x
    [     0] u < ANSWER a CONNECTED at s1
u send b key=m2 payload=y
    [     0] u < ANSWER b CONNECTED at s2
w commands any
    [     0] g < ANSWER
             #1 send a to s1 "x"
             #2 send b to s2 "y"
wait 15000
w commands any wait=60000
wait 5000
    [ 20000] g < ANSWER
             #1 send a to s1 "x" again
             #2 send b to s2 "y" again
w commands any wait=10000
wait 10000
    [ 30000] g < ANSWER

== what nobody fetches is too old at some time, also when its worker is dead
limits ttl=300000
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
w heart s1 has=a:CONNECTED
    [     0] g < ANSWER s1 ONLINE 1/50
wait 120000
w register s2
    [120000] g < ANSWER s2 ONLINE 0/50
wait 3002
w station s1 take=9
    [123002] g < ANSWER s1 OFFLINE 0/50 waiting 1
             #1 disconnect a to s1
wait 299999
w station s1 take=9
    [423001] g < ANSWER s1 OFFLINE 0/50
wait 2
w station s1 take=9
    [423003] g < ANSWER s1 OFFLINE 0/50
w heart s2 take=9
    [423003] g < ANSWER s2 ONLINE 1/50

== too many who wait
limits parked=16
gateway g
    [     0] g < WELCOME
http w fleet via=g
w register s1
    [     0] g < ANSWER s1 ONLINE 0/50
many 13 x w commands s1 limit=1 wait=1000 owner=%
    [     0] g < ANSWER BUSY
