# The feed: what happened, told once it is durable.

== a change may say what happened
client c
    [     0] c < WELCOME
c feed 0
    [     0] c < ROWS
c put n body=one event=message.new data=hello
    [     0] c < ANSWER n v1 one
c feed on
    [     0] c < ROWS message.new n hello
c drop n event=message.gone
    [     0] c < ANSWER n v1 one
c feed on
    [     0] c < ROWS message.gone n
c feed on
    [     0] c < ROWS

== who waits is told when it happens
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
c feed 0 wait=5000
d put n body=one event=message.new data=hello
    [     0] d < ANSWER n v1 one
    [     0] c < ROWS message.new n hello
c feed on wait=1000
wait 1000
    [  1000] c < ROWS
c feed on
    [  1000] c < ROWS
d put n body=two event=message.new
    [  1000] d < ANSWER n v2 two
c feed on wait=1000
    [  1000] c < ROWS message.new n

== nothing is told before it is durable
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
c feed 0 wait=5000
hold
d put n body=one event=message.new data=hello
wait 10
go
    [    10] d < ANSWER n v1 one
    [    10] c < ROWS message.new n hello
crash
    [    10] the broker is back
c hello
    [    10] c < WELCOME
d hello
    [    10] d < WELCOME
c feed on wait=100
    [    10] c < ROWS incomplete
d put n body=two event=message.new
    [    10] d < ANSWER n v2 two

== what was before a restart is lost, and that is said
client c
    [     0] c < WELCOME
c feed 0
    [     0] c < ROWS
c put n body=one event=message.new
    [     0] c < ANSWER n v1 one
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c feed on wait=1000
    [     0] c < ROWS incomplete
c feed on
    [     0] c < ROWS
c put n body=two event=message.new
    [     0] c < ANSWER n v2 two
c feed on
    [     0] c < ROWS message.new n

== topics are prefixes, a key is whole
client c
    [     0] c < WELCOME
c feed 0
    [     0] c < ROWS
c put n body=1 event=message.new
    [     0] c < ANSWER n v1 1
c put m body=1 event=session.open
    [     0] c < ANSWER m v1 1
c put n body=2 event=message.gone
    [     0] c < ANSWER n v2 2
c feed on topics=message
    [     0] c < ROWS message.new n, message.gone n
c put n body=1 event=message.new
    [     0] c < ANSWER n v3 1
c put m body=1 event=session.open
    [     0] c < ANSWER m v2 1
c put n body=2 event=message.gone
    [     0] c < ANSWER n v4 2
c feed on topics=session,message.g
    [     0] c < ROWS session.open m, message.gone n
c put n body=1 event=message.new
    [     0] c < ANSWER n v5 1
c put m body=1 event=session.open
    [     0] c < ANSWER m v3 1
c feed on key=m
    [     0] c < ROWS session.open m
c feed 0 wait=1000 topics=session
c put n body=1 event=message.new
    [     0] c < ANSWER n v6 1
c put m body=1 event=session.shut
    [     0] c < ANSWER m v4 1
    [     0] c < ROWS session.shut m

== a brand hears its own
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
client r brand=0 admin
    [     0] r < WELCOME
d feed 0 wait=1000
c put n body=one event=message.new
    [     0] c < ANSWER n v1 one
r put ann kind=user body=x event=user.new
    [     0] r < ANSWER ann v1 x
c feed 1 brand=2
    [     0] c < ROWS FORBIDDEN
r feed 0 brand=2 wait=1000
d put n body=one event=message.new
    [     0] d < ANSWER n v1 one
    [     0] d < ROWS message.new n
    [     0] r < ROWS message.new n

== a page has an end
client c
    [     0] c < WELCOME
c feed 0
    [     0] c < ROWS
many 5 n c put % body=x event=e
    [     0] c < ANSWER n1 v1 x
    [     0] c < ANSWER n2 v1 x
    [     0] c < ANSWER n3 v1 x
    [     0] c < ANSWER n4 v1 x
    [     0] c < ANSWER n5 v1 x
c feed on limit=2
    [     0] c < ROWS e n1, e n2
c feed on limit=2
    [     0] c < ROWS e n3, e n4
c feed on limit=2
    [     0] c < ROWS e n5
c feed on limit=2
    [     0] c < ROWS

== only so many are kept, and a brand does not push out another's
limits events=3
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c feed 0
    [     0] c < ROWS
c put n body=1 event=first
    [     0] c < ANSWER n v1 1
d put x body=1 event=other
    [     0] d < ANSWER x v1 1
many 4 n d put % body=x event=e
    [     0] d < ANSWER n1 v1 x
    [     0] d < ANSWER n2 v1 x
    [     0] d < ANSWER n3 v1 x
    [     0] d < ANSWER n4 v1 x
c feed on
    [     0] c < ROWS first n
d feed 1
    [     0] d < ROWS incomplete e n2, e n3, e n4
many 4 n c put % body=x event=e
    [     0] c < ANSWER n1 v1 x
    [     0] c < ANSWER n2 v1 x
    [     0] c < ANSWER n3 v1 x
    [     0] c < ANSWER n4 v1 x
c feed on
    [     0] c < ROWS incomplete e n2, e n3, e n4
c feed 1
    [     0] c < ROWS incomplete e n2, e n3, e n4

== who unwatches, leaves or stays silent is told nothing
client c
    [     0] c < WELCOME
client d
    [     0] d < WELCOME
c feed 0 wait=60000
c unwatch
d put n body=one event=e
    [     0] d < ANSWER n v1 one
c feed 0 wait=60000
c gone
d put n body=two event=e
    [     0] d < ANSWER n v2 two
d feed 0 wait=999999
wait 61000
    [ 60000] d < ROWS
