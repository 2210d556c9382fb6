# Who is next: order within a lane, priorities, aging, fair shares, delays, limits.

== first come, first served
client c
    [     0] c < WELCOME
many 5 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
    [     0] c < SUBMITTED t3
    [     0] c < SUBMITTED t4
    [     0] c < SUBMITTED t5
worker a queues=q slots=5
    [     0] a < WELCOME
    [     0] a < TASK t1 e1 attempt 1
    [     0] a < TASK t2 e2 attempt 1
    [     0] a < TASK t3 e3 attempt 1
    [     0] a < TASK t4 e4 attempt 1
    [     0] a < TASK t5 e5 attempt 1

== a higher priority goes first
client c
    [     0] c < WELCOME
c submit low priority=low
    [     0] c < SUBMITTED low
c submit normal
    [     0] c < SUBMITTED normal
c submit critical priority=critical
    [     0] c < SUBMITTED critical
c submit high priority=high
    [     0] c < SUBMITTED high
worker a queues=q slots=4
    [     0] a < WELCOME
    [     0] a < TASK critical e1 attempt 1
    [     0] a < TASK high e2 attempt 1
    [     0] a < TASK normal e3 attempt 1
    [     0] a < TASK low e4 attempt 1

== waiting counts: after the aging time a lower priority is as good as a higher one
limits aging=60000
client c
    [     0] c < WELCOME
c submit old priority=low
    [     0] c < SUBMITTED old
wait 119000
c submit young priority=high
    [119000] c < SUBMITTED young
wait 1001
c submit younger priority=high
    [120001] c < SUBMITTED younger
worker a queues=q slots=3
    [120001] a < WELCOME
    [120001] a < TASK young e1 attempt 1
    [120001] a < TASK old e2 attempt 1
    [120001] a < TASK younger e3 attempt 1

== a raised priority overtakes, a lowered one falls back
client c
    [     0] c < WELCOME
many 4 t c submit %
    [     0] c < SUBMITTED t1
    [     0] c < SUBMITTED t2
    [     0] c < SUBMITTED t3
    [     0] c < SUBMITTED t4
c update t4 priority=high
    [     0] c < VIEW t4 queued place 1
c update t1 priority=low
    [     0] c < VIEW t1 queued place 4
worker a queues=q slots=4
    [     0] a < WELCOME
    [     0] a < TASK t4 e1 attempt 1
    [     0] a < TASK t2 e2 attempt 1
    [     0] a < TASK t3 e3 attempt 1
    [     0] a < TASK t1 e4 attempt 1

== a new priority goes behind those that have it already
client c
    [     0] c < WELCOME
c submit one priority=high
    [     0] c < SUBMITTED one
c submit two
    [     0] c < SUBMITTED two
c submit three priority=high
    [     0] c < SUBMITTED three
c update two priority=high
    [     0] c < VIEW two queued place 3
worker a queues=q slots=3
    [     0] a < WELCOME
    [     0] a < TASK one e1 attempt 1
    [     0] a < TASK three e2 attempt 1
    [     0] a < TASK two e3 attempt 1

== brands take turns
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
many 4 c c submit %
    [     0] c < SUBMITTED c1
    [     0] c < SUBMITTED c2
    [     0] c < SUBMITTED c3
    [     0] c < SUBMITTED c4
many 2 d d submit %
    [     0] d < SUBMITTED d1
    [     0] d < SUBMITTED d2
worker a queues=q slots=6 brand=0
    [     0] a < WELCOME
    [     0] a < TASK c1 e1 attempt 1
    [     0] a < TASK d1 e2 attempt 1
    [     0] a < TASK c2 e3 attempt 1
    [     0] a < TASK d2 e4 attempt 1
    [     0] a < TASK c3 e5 attempt 1
    [     0] a < TASK c4 e6 attempt 1

== queues of a brand take turns by weight
client c
    [     0] c < WELCOME
c queue p weight=2
    [     0] c < ANSWER
             brand 1
             queue p
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 2
             queued 0
many 4 p c submit % queue=p
    [     0] c < SUBMITTED p1
    [     0] c < SUBMITTED p2
    [     0] c < SUBMITTED p3
    [     0] c < SUBMITTED p4
many 4 q c submit % queue=q
    [     0] c < SUBMITTED q1
    [     0] c < SUBMITTED q2
    [     0] c < SUBMITTED q3
    [     0] c < SUBMITTED q4
worker a queues=p,q slots=8
    [     0] a < WELCOME
    [     0] a < TASK p1 e1 attempt 1
    [     0] a < TASK p2 e2 attempt 1
    [     0] a < TASK q1 e3 attempt 1
    [     0] a < TASK p3 e4 attempt 1
    [     0] a < TASK p4 e5 attempt 1
    [     0] a < TASK q2 e6 attempt 1
    [     0] a < TASK q3 e7 attempt 1
    [     0] a < TASK q4 e8 attempt 1

== lanes of other types do not stand in each other's way
client c
    [     0] c < WELCOME
many 3 audio c submit % type=audio
    [     0] c < SUBMITTED audio1
    [     0] c < SUBMITTED audio2
    [     0] c < SUBMITTED audio3
c submit video type=video
    [     0] c < SUBMITTED video
worker a queues=q types=video
    [     0] a < WELCOME
    [     0] a < TASK video e1 attempt 1
worker b queues=q types=audio slots=3
    [     0] b < WELCOME
    [     0] b < TASK audio1 e2 attempt 1
    [     0] b < TASK audio2 e3 attempt 1
    [     0] b < TASK audio3 e4 attempt 1

== labels: a worker that names a value serves only that; one that names none serves all
client c
    [     0] c < WELCOME
c submit german labels=language=de
    [     0] c < SUBMITTED german
c submit english labels=language=en
    [     0] c < SUBMITTED english
c submit plain
    [     0] c < SUBMITTED plain
worker e queues=q labels=language=en slots=3
    [     0] e < WELCOME
    [     0] e < TASK english e1 attempt 1
    [     0] e < TASK plain e2 attempt 1
worker a queues=q slots=3
    [     0] a < WELCOME
    [     0] a < TASK german e3 attempt 1

== every queue, but only what carries a label
client c
    [     0] c < WELCOME
c submit plain queue=video type=video
    [     0] c < SUBMITTED plain
c submit other queue=video type=video labels=dialect=001
    [     0] c < SUBMITTED other
c submit film queue=video type=video labels=dialect=000
    [     0] c < SUBMITTED film
c submit bare queue=default labels=dialect=000
    [     0] c < SUBMITTED bare
c submit song queue=audio type=audio labels=dialect=000
    [     0] c < SUBMITTED song
worker w queues=* types=video labels=+dialect=000 slots=9
    [     0] w < WELCOME
    [     0] w < TASK film e1 attempt 1
    [     0] w < TASK bare e2 attempt 1
worker v queues=* labels=+dialect=000 slots=9
    [     0] v < WELCOME
    [     0] v < TASK song e3 attempt 1
c submit late queue=never-heard-of type=x labels=dialect=000
    [     0] c < SUBMITTED late
    [     0] v < TASK late e4 attempt 1
worker n queues=video slots=9
    [     0] n < WELCOME
    [     0] n < TASK plain e5 attempt 1
    [     0] n < TASK other e6 attempt 1

== a delayed task waits, and then goes to the end of the line
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
a credit slots=0
c submit later delay=5000
    [     0] c < SUBMITTED later
c submit soon
    [     0] c < SUBMITTED soon
c get later
    [     0] c < VIEW later scheduled due in 5000
wait 5000
c get later
    [  5000] c < VIEW later queued place 2
a credit slots=2
    [  5000] a < TASK soon e1 attempt 1 (at once)
    [  5000] a < TASK later e2 attempt 1 (at once)

== a delayed task is delivered when it is due, to whoever waits
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit later delay=90000
    [     0] c < SUBMITTED later
wait 89999
wait 1
    [ 90000] a < TASK later e1 attempt 1 (at once)

== a delay survives a restart
client c
    [     0] c < WELCOME
c submit later delay=90000
    [     0] c < SUBMITTED later
wait 30000
crash
    [ 30000] the broker is back
c hello
    [ 30000] c < WELCOME
worker a queues=q
    [ 30000] a < WELCOME
wait 59999
wait 1
    [ 90000] a < TASK later e1 attempt 1 (at once)

== a due time may be moved
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit later delay=90000
    [     0] c < SUBMITTED later
c update later delay=1000
    [     0] c < VIEW later scheduled due in 1000
wait 1000
    [  1000] a < TASK later e1 attempt 1
a done later
    [  1000] a < SETTLED later e1
c submit sooner delay=1000
    [  1000] c < SUBMITTED sooner
c update sooner delay=5000
    [  1000] c < VIEW sooner scheduled due in 5000
wait 4999
wait 1
    [  6000] a < TASK sooner e2 attempt 1 (at once)

== a clock that is set forward makes delayed tasks due
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c submit later delay=3600000
    [     0] c < SUBMITTED later
clock 3600000
wait 2000

== a paused queue delivers nothing and takes everything
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue q paused=1
    [     0] c < ANSWER
             brand 1
             queue q
             paused 1
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             queued 0
c submit one
    [     0] c < SUBMITTED one
wait 1000
c explain one
    [  1000] c < ANSWER
             state open queued
             due open now
             queue shut paused
             limit open 0 running of any number
             rate open no limit
             capacity open 0 running in all, at most 200000
             workers open 1 serve this queue and type, 0 claims wait
             labels open 1 of 1 serve tasks without labels
             health open 1 of 1 are linked and not draining
             slots open 1 of 1 have a free slot
             place open 1 in its lane, 1 queued there
c queue q paused=0
    [  1000] a < TASK one e1 attempt 1
    [  1000] c < ANSWER
             brand 1
             queue q
             paused 0
             running 1
             running_max 0
             rate_per_min 0
             weight 1
             queued 0

== a queue's running limit
client c
    [     0] c < WELCOME
worker a queues=q slots=5
    [     0] a < WELCOME
c queue q running=2
    [     0] c < ANSWER
             brand 1
             queue q
             paused 0
             running 0
             running_max 2
             rate_per_min 0
             weight 1
             queued 0
many 4 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
    [     0] c < SUBMITTED t3
    [     0] c < SUBMITTED t4
a done t1
    [     0] a < TASK t3 e3 attempt 1 (at once)
    [     0] a < SETTLED t1 e1
c queue q running=3
    [     0] a < TASK t4 e4 attempt 1 (at once)
    [     0] c < ANSWER
             brand 1
             queue q
             paused 0
             running 3
             running_max 3
             rate_per_min 0
             weight 1
             queued 0

== a queue's rate limit: one a second
client c
    [     0] c < WELCOME
worker a queues=q slots=10
    [     0] a < WELCOME
c queue q rate=60
    [     0] c < ANSWER
             brand 1
             queue q
             paused 0
             running 0
             running_max 0
             rate_per_min 60
             weight 1
             queued 0
many 3 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] c < SUBMITTED t3
wait 999
wait 1
    [  1000] a < TASK t2 e2 attempt 1
wait 1000
    [  2000] a < TASK t3 e3 attempt 1

== the broker's own limit of running tasks
limits running=2
client c
    [     0] c < WELCOME
worker a queues=q slots=5
    [     0] a < WELCOME
gateway g
    [     0] g < WELCOME
http w
many 3 t c submit %
    [     0] c < SUBMITTED t1
    [     0] a < TASK t1 e1 attempt 1
    [     0] c < SUBMITTED t2
    [     0] a < TASK t2 e2 attempt 1
    [     0] c < SUBMITTED t3
w claim queues=q wait=60000
a done t1
    [     0] a < TASK t3 e3 attempt 1 (at once)
    [     0] a < SETTLED t1 e1
c submit t4
    [     0] c < SUBMITTED t4
a done t2
    [     0] a < TASK t4 e4 attempt 1 (at once)
    [     0] a < SETTLED t2 e2

== settings of a queue survive a restart
client c
    [     0] c < WELCOME
c queue q paused=1 running=7 rate=600 weight=3
    [     0] c < ANSWER
             brand 1
             queue q
             paused 1
             running 0
             running_max 7
             rate_per_min 600
             weight 3
             queued 0
crash
    [     0] the broker is back
c hello
    [     0] c < WELCOME
c queue q
    [     0] c < ANSWER
             brand 1
             queue q
             paused 1
             running 0
             running_max 7
             rate_per_min 600
             weight 3
             queued 0
