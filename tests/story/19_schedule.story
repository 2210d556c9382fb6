# Schedules: what is submitted again and again, and when. A story begins on 2023-11-14, 22:13:20.

== a schedule submits its task when the clock says so
client c
    [     0] c < WELCOME
worker a queues=q slots=4
    [     0] a < WELCOME
c plan job expression=*/5_*_*_*_* type=report payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:15:00Z runs 0 good 0 bad 0
wait 99000
wait 2000
    [100000] a < TASK hello e1 attempt 1 (at once)
a done hello
    [101000] a < SETTLED hello e1
wait 300000
    [400000] a < TASK hello e2 attempt 1 (at once)
c readplan job
    [401000] c < ANSWER job v3 next 2023-11-14T22:25:00Z last 2023-11-14T22:20:00Z runs 2 good 1 bad 0

== each nominal time runs once, also over a crash
client c
    [     0] c < WELCOME
worker a queues=q slots=9
    [     0] a < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
wait 41000
    [ 40000] a < TASK hello e1 attempt 1 (at once)
crash
    [ 41000] the broker is back
c hello
    [ 41000] c < WELCOME
a hello
    [ 41000] a < WELCOME
    [ 41000] a < TASK hello e2 attempt 1
wait 60000
    [100000] a < TASK hello e3 attempt 1 (at once)
crash
    [101000] the broker is back
c hello
    [101000] c < WELCOME
c readplan job
    [101000] c < ANSWER job v3 next 2023-11-14T22:16:00Z last 2023-11-14T22:15:00Z runs 2 good 0 bad 0
wait 60000
c readplan job
    [161000] c < ANSWER job v4 next 2023-11-14T22:17:00Z last 2023-11-14T22:16:00Z runs 3 good 0 bad 0

== what was missed is made up for once
client c
    [     0] c < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
clock 600000
wait 1000
c readplan job
    [  1000] c < ANSWER job v2 next 2023-11-14T22:24:00Z last 2023-11-14T22:14:00Z runs 1 good 0 bad 0
counts
    [  1000] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== or not at all, but what is just late runs
client c
    [     0] c < WELCOME
c plan job expression=*_*_*_*_* misfire=1
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
clock 600000
wait 1000
c readplan job
    [  1000] c < ANSWER job v3 next 2023-11-14T22:24:00Z last 2023-11-14T22:23:00Z runs 1 good 0 bad 0
counts
    [  1000] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== or one by one
client c
    [     0] c < WELCOME
c plan job expression=*_*_*_*_* misfire=2
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
clock 600000
wait 1000
c readplan job
    [  1000] c < ANSWER job v11 next 2023-11-14T22:24:00Z last 2023-11-14T22:23:00Z runs 10 good 0 bad 0
counts
    [  1000] scheduled 0 queued 10 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== a clock that is set back runs nothing twice
client c
    [     0] c < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
wait 41000
c readplan job
    [ 41000] c < ANSWER job v2 next 2023-11-14T22:15:00Z last 2023-11-14T22:14:00Z runs 1 good 0 bad 0
clock -120000
wait 100000
c readplan job
    [141000] c < ANSWER job v2 next 2023-11-14T22:15:00Z last 2023-11-14T22:14:00Z runs 1 good 0 bad 0
wait 100000
c readplan job
    [241000] c < ANSWER job v3 next 2023-11-14T22:16:00Z last 2023-11-14T22:15:00Z runs 2 good 0 bad 0

== start, end and a number of runs bound it
client c
    [     0] c < WELCOME
c plan some expression=*_*_*_*_* max=2
    [     0] c < ANSWER a number
    [     0] c < ANSWER some v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
c plan later expression=*_*_*_*_* start=200000 end=330000
    [     0] c < ANSWER a number
    [     0] c < ANSWER later v1 next 2023-11-14T22:17:00Z runs 0 good 0 bad 0
wait 500000
c readplan some
    [500000] c < ANSWER some v3 last 2023-11-14T22:15:00Z runs 2 good 0 bad 0
c readplan later
    [500000] c < ANSWER later v3 last 2023-11-14T22:18:00Z runs 2 good 0 bad 0
counts
    [500000] scheduled 0 queued 4 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== paused, it stands still; resumed, it goes on from now
client c
    [     0] c < WELCOME
c plan job expression=*/10_*_*_*_* inactive
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 runs 0 good 0 bad 0 inactive
wait 900000
c readplan job
    [900000] c < ANSWER job v1 runs 0 good 0 bad 0 inactive
c replan job active
    [900000] c < ANSWER job v2 next 2023-11-14T22:30:00Z runs 0 good 0 bad 0
c replan job inactive
    [900000] c < ANSWER job v3 runs 0 good 0 bad 0 inactive
c readplan job
    [900000] c < ANSWER job v3 runs 0 good 0 bad 0 inactive

== a change of its times counts from now, another leaves them
client c
    [     0] c < WELCOME
c plan job expression=*/10_*_*_*_*
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:20:00Z runs 0 good 0 bad 0
c replan job payload=other
    [     0] c < ANSWER job v2 next 2023-11-14T22:20:00Z runs 0 good 0 bad 0
c replan job expression=0_9_*_*_1-5 zone=Europe/Paris
    [     0] c < ANSWER job v3 next 2023-11-15T08:00:00Z runs 0 good 0 bad 0
c replan job zone=America/New_York
    [     0] c < ANSWER job v4 next 2023-11-15T14:00:00Z runs 0 good 0 bad 0
c replan job version=1 payload=stale
    [     0] c < ANSWER CONFLICT

== a run by hand changes nothing about the others
client c
    [     0] c < WELCOME
worker a queues=q slots=9
    [     0] a < WELCOME
c plan job expression=0_0_1_1_* payload=template
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2024-01-01T00:00:00Z runs 0 good 0 bad 0
c runplan job
    [     0] a < TASK template e1 attempt 1
    [     0] c < ANSWER job v2 next 2024-01-01T00:00:00Z runs 0 good 0 bad 0
c runplan job payload=own high
    [     0] a < TASK own e2 attempt 1
    [     0] c < ANSWER job v3 next 2024-01-01T00:00:00Z runs 0 good 0 bad 0
c readplan job
    [     0] c < ANSWER job v3 next 2024-01-01T00:00:00Z runs 0 good 0 bad 0

== what becomes of the runs is counted
client c
    [     0] c < WELCOME
worker a queues=q slots=9
    [     0] a < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
wait 41000
    [ 40000] a < TASK hello e1 attempt 1 (at once)
a done hello
    [ 41000] a < SETTLED hello e1
wait 60000
    [100000] a < TASK hello e2 attempt 1 (at once)
a fail hello permanent text=no
    [101000] a < SETTLED hello e2
c readplan job
    [101000] c < ANSWER job v3 next 2023-11-14T22:16:00Z last 2023-11-14T22:15:00Z runs 2 good 1 bad 1

== what is not sound is refused
client c
    [     0] c < WELCOME
c plan job expression=61_*_*_*_*
    [     0] c < ANSWER a number
    [     0] c < ANSWER VALIDATION_ERROR "expression: a cron field has a value out of its range"
c plan job expression=*_*_*_*_* zone=Mars/Olympus
    [     0] c < ANSWER VALIDATION_ERROR "zone: there is no such time zone"
c plan job expression=*_*_*_*_* zone=../../etc/passwd
    [     0] c < ANSWER VALIDATION_ERROR "zone: there is no such time zone"
c plan one expression=*_*_*_*_* title=same
    [     0] c < ANSWER a number
    [     0] c < ANSWER one v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
c plan two expression=*_*_*_*_* title=same
    [     0] c < ANSWER a number
    [     0] c < ANSWER CONFLICT
c plan three expression=*_*_*_*_* title=same kind=1
    [     0] c < ANSWER a number
    [     0] c < ANSWER three v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
c plan one expression=*_*_*_*_*
    [     0] c < ANSWER CONFLICT
c readplan 12345
    [     0] c < ANSWER NOT_FOUND
c replan 12345 active
    [     0] c < ANSWER NOT_FOUND

== another brand's schedule is not found
client c
    [     0] c < WELCOME
client d brand=2
    [     0] d < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
d readplan job
    [     0] d < ANSWER NOT_FOUND
d replan job inactive
    [     0] d < ANSWER NOT_FOUND
d runplan job
    [     0] d < ANSWER NOT_FOUND
d unplan job
    [     0] d < ANSWER NOT_FOUND
c readplan job
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0

== a removed schedule runs no more
client c
    [     0] c < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
c unplan job
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
c unplan job
    [     0] c < ANSWER NOT_FOUND
wait 300000
counts
    [300000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== on a full disk nothing runs, afterwards what was missed
client c
    [     0] c < WELCOME
c plan job expression=*_*_*_*_* payload=hello
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2023-11-14T22:14:00Z runs 0 good 0 bad 0
disk full
wait 200000
counts
    [200000] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0
disk free
wait 1000
counts
    [201000] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 0

== clocks go forward in Paris: half past two comes at three, once
client c
    [     0] c < WELCOME
clock 11681000000
c plan job expression=30_2_*_*_* zone=Europe/Paris
    [     0] c < ANSWER a number
    [     0] c < ANSWER job v1 next 2024-03-30T01:30:00Z runs 0 good 0 bad 0
wait 86400000
c readplan job
    [86400000] c < ANSWER job v2 next 2024-03-31T01:00:00Z last 2024-03-30T01:30:00Z runs 1 good 0 bad 0
wait 86400000
c readplan job
    [172800000] c < ANSWER job v3 next 2024-04-01T00:30:00Z last 2024-03-31T01:00:00Z runs 2 good 0 bad 0
