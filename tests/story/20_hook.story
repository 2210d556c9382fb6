# Webhooks: what somebody outside is to hear of becomes a task in the group of its cause.

== an end that the brand wants to hear of is a task of its own
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue relais.webhook hooks=1
    [     0] c < ANSWER
             brand 1
             queue relais.webhook
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             hooks 1
             queued 0
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one data=result
    [     0] a < SETTLED one e1
counts
    [     0] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== others pay nothing
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue relais.webhook hooks=2
    [     0] c < ANSWER
             brand 1
             queue relais.webhook
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             hooks 2
             queued 0
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one
    [     0] a < SETTLED one e1
counts
    [     0] scheduled 0 queued 0 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 1

== a task may ask for itself, whoever subscribed; it is kept, and no worker of * gets its webhook
client c
    [     0] c < WELCOME
worker a queues=*
    [     0] a < WELCOME
c submit one hook keep=none
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one
    [     0] a < SETTLED one e1
c get one
    [     0] c < VIEW one completed attempt 1 100% reason done by "a"
counts
    [     0] scheduled 0 queued 1 delivered 0 running 0 completed 1 failed 0 cancelled 0; workers 1

== what was not committed leaves no webhook behind
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue relais.webhook hooks=7
    [     0] c < ANSWER
             brand 1
             queue relais.webhook
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             hooks 7
             queued 0
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
hold
a done one
crash
    [     0] the broker is back
go
counts
    [     0] scheduled 0 queued 0 delivered 0 running 1 completed 0 failed 0 cancelled 0; workers 1

== what was committed leaves exactly one
client c
    [     0] c < WELCOME
worker a queues=q
    [     0] a < WELCOME
c queue relais.webhook hooks=7
    [     0] c < ANSWER
             brand 1
             queue relais.webhook
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             hooks 7
             queued 0
c submit one
    [     0] c < SUBMITTED one
    [     0] a < TASK one e1 attempt 1
a start one
a done one
    [     0] a < SETTLED one e1
crash
    [     0] the broker is back
go
client d
    [     0] d < WELCOME
worker b queues=q
    [     0] b < WELCOME
counts
    [     0] scheduled 0 queued 1 delivered 0 running 0 completed 0 failed 0 cancelled 0; workers 2
d queue relais.webhook
    [     0] d < ANSWER
             brand 1
             queue relais.webhook
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             hooks 7
             queued 1
d queue relais.webhook hooks=0
    [     0] d < ANSWER
             brand 1
             queue relais.webhook
             paused 0
             running 0
             running_max 0
             rate_per_min 0
             weight 1
             queued 1

== hooks are for the queue of webhooks only, and for what is durable
client c
    [     0] c < WELCOME
c queue q hooks=1
    [     0] c < ANSWER VALIDATION_ERROR "bad queue name, weight, keep or hooks"
c submit one accepted hook
    [     0] c < SUBMITTED VALIDATION_ERROR "an accepted task has neither key nor source nor hook"
