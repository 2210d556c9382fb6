"""Who may call what: one line a route, written by hand from the documents, not from the code.

    METHOD PATH[?QUERY] ROLES [@KIND] [BODY]

ROLES, any of: o anybody, no credentials needed; u user; b user with the brand_admin right; a
admin; A admin whose token names no brand; k worker that dialect 000 enrolled; w worker of `relais
token`; s service; f fleet token. `u` lets in whom `b` would, too. KIND is the kind of object that
the {names} of path, query and body stand for (realm.py makes them); without it the row names none.
`self` is the caller: the row ends or changes him, so he is a fresh one each time. BODY is JSON, in
which {new} is a number that was not there before, or FILE, AUDIO, BYTES. A line that begins with a
blank goes on with the one above.

Where a row has {mode}, {upload}, {stream} or a base, expand() writes all that the dialect serves.
A route without a line and a line without a route are failures of test_matrix.py."""
import json

QALPUCH = """
POST /login                      o               {"email": "nobody@example.org"}
POST /register                   o               {"username": "only-a-name"}
POST /refresh                    o               {}
GET /logout                      ua   @self
POST /logout                     ua   @self      {}
POST /change-password            ua   @self      {"oldPassword": "x"}
GET /users                       a
GET /users/search?q=a            a
GET /users/{id}                  a    @account
POST /users                      a
    {"name": "made-{new}", "email": "made-{new}@example.org"}
PUT /users/{id}                  ua   @account   {"name": "Renamed"}
DELETE /users/me                 ua   @self
DELETE /users/{id}               a    @account
POST /worker                     a               {"name": "Made by the matrix"}
GET /worker                      a
GET /worker/{cuid}               a    @agent
DELETE /worker/{cuid}            a    @agent
POST /worker/{cuid}/token        a    @agent     {}
POST /worker/register            o               {}
POST /worker/refresh-auth        o               {}
POST /worker/heartbeat           kw    @self      {"status": "online"}
POST /files/upload               uakw             FILE
GET /files                       ua
GET /files/{cuid}                uakw  @file
GET /files/{cuid}/download       uakw  @file
PUT /files/{cuid}                ua   @file      {"name": "renamed.mp4"}
DELETE /files/{cuid}             ua   @file
POST /tasks                      ua   @fileid    {"fileId": "{fileId}", "config": {"type": "none"}}
GET /tasks                       ua
GET /tasks/pending               kw    @self
GET /tasks/{cuid}                uakw  @film
PATCH /tasks/{cuid}              kw    @film      {"status": "processing", "status_message": "5%"}
POST /tasks/{cuid}               kw    @film      FILE
POST /tasks/{cuid}/result        kw    @film      FILE
PUT /tasks/{cuid}/result         kw    @film      FILE
GET /tasks/{cuid}/result         ua   @film
POST /tasks/{cuid}/cancel        ua   @film      {}
POST /tasks/{cuid}/retry         ua   @film      {}
DELETE /tasks/{cuid}             ua   @film
POST /predefined-tasks           a
    {"name": "made {new}", "description": "d", "config": {}}
GET /predefined-tasks            ua
GET /predefined-tasks/{cuid}     ua   @preset
PUT /predefined-tasks/{cuid}     a    @preset    {"description": "changed"}
DELETE /predefined-tasks/{cuid}  a    @preset
"""

MEGAHUB = """
POST /tasks                      ua              {"task_type": "matrix", "queue_name": "matrix"}
GET /tasks                       ua
GET /tasks/{id}                  ua   @task
PUT /tasks/{id}                  ua   @task      {"description": "changed"}
PATCH /tasks/{id}                ua   @task      {"description": "changed"}
DELETE /tasks/{id}               ua   @task
POST /tasks/{id}/cancel          ua   @task      {}
POST /tasks/{id}/retry           ua   @task      {}
POST /tasks/claim                w               {"queues": ["nothing-lies-here"]}
POST /tasks/{id}/heartbeat       w    @task      {}
POST /tasks/{id}/progress        w    @task      {"progress_percentage": 5}
POST /tasks/{id}/complete        w    @task      {"result_data": {}}
POST /tasks/{id}/fail            w    @task      {"error_message": "no"}
POST /auth/login                 o               {"username": "nobody"}
POST /auth/refresh               o               {}
POST /auth/logout                ua   @self      {}
GET /auth/me                     ua
PATCH /auth/me                   ua   @self      {"name": "Renamed"}
PATCH /auth/update-profile       ua   @self      {"name": "Renamed"}
PUT /auth/update-profile         ua   @self      {"name": "Renamed"}
POST /auth/change-password       ua   @self      {"current_password": "x"}
GET /brands                      ua
POST /brands                     A               {"name": "made {new}"}
GET /brands/{id}                 ua   @brand
PUT /brands/{id}                 A    @brand     {"name": "renamed {new}"}
PATCH /brands/{id}               A    @brand     {"name": "renamed {new}"}
DELETE /brands/{id}              A    @brand
POST /tasks/scheduled/periodic-tasks/validate-cron  ua  {"cron_expression": "* * * * *"}
GET /tasks/scheduled/periodic-tasks/cron-templates  ua
GET /tasks/scheduled/periodic-tasks/timezone-info   ua
GET /tasks/{id}/events           ua   @task
GET /tasks/{id}/logs             ua   @task
GET /tasks/{id}/result           ua   @task
GET /tasks/{id}/source           ua   @task
GET /tasks/queue-stats           ua
GET /tasks/type-stats            ua
GET /tasks/stats                 ua
GET /tasks/dashboard             ua
GET /tasks/types                 ua
POST /tasks/types                b               {"name": "made-{new}"}
GET /tasks/types/{id}            ua   @type
PUT /tasks/types/{id}            b    @type      {"name": "{name}", "max_retries": 1}
PATCH /tasks/types/{id}          b    @type      {"max_retries": 1}
DELETE /tasks/types/{id}         b    @type
GET /tasks/queues                ua
POST /tasks/queues               b               {"name": "made-{new}"}
GET /tasks/queues/{id}           ua   @queue
PUT /tasks/queues/{id}           b    @queue     {"name": "{name}", "concurrency": 1}
PATCH /tasks/queues/{id}         b    @queue     {"concurrency": 1}
DELETE /tasks/queues/{id}        b    @queue
GET /tasks/monitoring            ua
GET /tasks/monitoring/metrics                      ua
POST /tasks/monitoring/metrics                     ua  @measured
    {"base_task": "{id}", "cost_usd": 1}
GET /tasks/monitoring/metrics/{id}                 ua  @measured
PUT /tasks/monitoring/metrics/{id}                 ua  @measured
    {"base_task": "{id}", "cost_usd": 2}
PATCH /tasks/monitoring/metrics/{id}               ua  @measured  {"cost_usd": 3}
DELETE /tasks/monitoring/metrics/{id}              ua  @measured
GET /tasks/monitoring/metrics/dashboard            ua
GET /tasks/monitoring/metrics/trends               ua
GET /tasks/monitoring/metrics/performance-by-type  ua
GET /tasks/monitoring/metrics/anomalies            ua
GET /tasks/monitoring/metrics/recommendations      ua
GET /tasks/monitoring/alerts                       b
POST /tasks/monitoring/alerts                      b
    {"name": "made {new}", "metric_field": "cost_usd", "condition": "gt", "threshold_value": 5}
GET /tasks/monitoring/alerts/{id}                  b   @alert
PUT /tasks/monitoring/alerts/{id}                  b   @alert
    {"name": "{name}", "metric_field": "cost_usd", "condition": "lt", "threshold_value": 5}
PATCH /tasks/monitoring/alerts/{id}                b   @alert  {"threshold_value": 6}
DELETE /tasks/monitoring/alerts/{id}               b   @alert
POST /tasks/monitoring/alerts/{id}/test            b   @alert  {"test_value": 9}
POST /tasks/monitoring/alerts/{id}/acknowledge     b   @alert  {}
POST /tasks/monitoring/alerts/{id}/toggle          b   @alert  {}
GET /tasks/monitoring/alerts/active                b
GET /tasks/monitoring/alerts/history               b
GET /tasks/monitoring/workers                      ua
GET /tasks/monitoring/workers/overview             ua
GET /tasks/monitoring/workers/{id}                 ua  @card
POST /tasks/monitoring/workers                     bw  {"worker_name": "w-home", "cpu_percent": 5}
PUT /tasks/monitoring/workers/{id}                 b   @card
    {"worker_name": "{name}", "cpu_percent": 5}
PATCH /tasks/monitoring/workers/{id}               b   @card  {"cpu_percent": 5}
DELETE /tasks/monitoring/workers/{id}              b   @card
GET {jobs}                       ua
POST {jobs}                      ua  {"task_type": "matrix", "job_data": {}}
GET {jobs}/{id}                  ua  @persistent
PUT {jobs}/{id}                  ua  @persistent  {"base_task": "{id}", "job_data": {"a": 1}}
PATCH {jobs}/{id}                ua  @persistent  {"job_data": {"a": 1}}
DELETE {jobs}/{id}               ua  @persistent
POST {jobs}/{id}/resume          ua  @persistent  {}
POST {jobs}/{id}/pause           ua  @persistent  {}
POST {jobs}/{id}/restart         ua  @persistent  {}
GET {jobs}/{id}/checkpoints      ua  @persistent
GET {jobs}/resumable             ua
POST {jobs}/auto-resume          ua  {"max_jobs": 1}
POST {jobs}/validate-config      ua  {"job_data": {}}
GET {jobs}/stats                 ua
POST {jobs}/cleanup-old          ua  {"dry_run": true}
GET /tasks/persistent-jobs/job-states         ua
GET /tasks/persistent-jobs/job-states/{id}    ua  @state
PATCH /tasks/persistent-jobs/job-states/{id}  ua  @state  {"state_data": {"a": 1}}
GET /tasks/persistent-jobs/checkpoints        ua
POST /tasks/persistent-jobs/checkpoints       uaw  @persistent
    {"persistent_job": "{id}", "step_name": "one", "checkpoint_data": {}}
POST /tasks/persistent-jobs/checkpoints/optimize-storage  ua  {}
GET /tasks/persistent-jobs/checkpoints/{id}     ua  @checkpoint
PUT /tasks/persistent-jobs/checkpoints/{id}     ua  @checkpoint
    {"persistent_job": "{job}", "step_name": "two", "checkpoint_data": {}}
PATCH /tasks/persistent-jobs/checkpoints/{id}   ua  @checkpoint  {"step_name": "two"}
DELETE /tasks/persistent-jobs/checkpoints/{id}  ua  @checkpoint
GET /tasks/scheduled             ua
GET /tasks/scheduled/periodic-tasks              ua
POST /tasks/scheduled/periodic-tasks             ua
    {"task_type": "x", "cron_expression": "1 1 1 1 *"}
GET /tasks/scheduled/periodic-tasks/{id}         ua  @periodic
PUT /tasks/scheduled/periodic-tasks/{id}         ua  @periodic
    {"task_type": "matrix", "cron_expression": "1 1 1 1 *"}
PATCH /tasks/scheduled/periodic-tasks/{id}       ua  @periodic  {"description": "changed"}
DELETE /tasks/scheduled/periodic-tasks/{id}      ua  @periodic
POST /tasks/scheduled/periodic-tasks/{id}/pause  ua  @periodic  {}
POST /tasks/scheduled/periodic-tasks/{id}/resume  ua  @periodic  {}
POST /tasks/scheduled/periodic-tasks/{id}/toggle  ua  @periodic  {}
POST /tasks/scheduled/periodic-tasks/{id}/execute-now   ua  @periodic  {}
GET /tasks/scheduled/periodic-tasks/ready-for-execution  ua
POST /tasks/scheduled/periodic-tasks/execute-ready       ua  {}
GET /tasks/scheduled/periodic-tasks/stats                ua
GET /tasks/scheduled/periodic-tasks/performance-analysis  ua
POST /tasks/scheduled/periodic-tasks/optimize-schedules  ua  {}
GET /tasks/scheduled/cron-jobs                   ua
POST /tasks/scheduled/cron-jobs                  ua
    {"name": "made {new}", "task_type": "x", "frequency": "daily"}
GET /tasks/scheduled/cron-jobs/{id}              ua  @cronjob
PUT /tasks/scheduled/cron-jobs/{id}              ua  @cronjob
    {"name": "{name}", "task_type": "y", "frequency": "daily"}
PATCH /tasks/scheduled/cron-jobs/{id}            ua  @cronjob  {"description": "changed"}
DELETE /tasks/scheduled/cron-jobs/{id}           ua  @cronjob
POST /tasks/scheduled/cron-jobs/{id}/execute     ua  @cronjob  {}
POST /tasks/scheduled/cron-jobs/{id}/execute-now  ua  @cronjob  {}
GET /tasks/scheduled/calendars                   ua
POST /tasks/scheduled/calendars                  ua  {"name": "made {new}"}
GET /tasks/scheduled/calendars/{id}              ua  @calendar
PUT /tasks/scheduled/calendars/{id}              ua  @calendar
    {"name": "{name}", "color": "#000000"}
PATCH /tasks/scheduled/calendars/{id}            ua  @calendar  {"description": "changed"}
DELETE /tasks/scheduled/calendars/{id}           ua  @calendar
GET /tasks/scheduled/calendars/{id}/events       ua  @calendar
GET /tasks/scheduled/calendars/{id}/schedule     ua  @calendar
GET /tasks/scheduled/calendars/{id}/stats        ua  @calendar
POST /tasks/scheduled/calendars/{id}/add-task    ua  @calendar  {"periodic_task_id": "{periodic}"}
POST /tasks/scheduled/calendars/{id}/remove-task  ua  @calendar  {"periodic_task_id": "{periodic}"}
GET /tasks/webhooks              ba
POST /tasks/webhooks             ba
    {"url": "https://example.org/{new}", "events": ["task.progress"]}
GET /tasks/webhooks/dead         ba
POST /tasks/webhooks/dead/{id}/replay  ba  @lost  {}
GET /tasks/webhooks/signing-key  ba
GET /tasks/webhooks/{id}         ba   @hook
PUT /tasks/webhooks/{id}         ba   @hook
    {"url": "https://example.org/put", "events": ["task.progress"]}
PATCH /tasks/webhooks/{id}       ba   @hook      {"description": "changed"}
DELETE /tasks/webhooks/{id}      ba   @hook
POST /tasks/webhooks/{id}/rotate-secret  ba  @hook  {}
"""

WHATSAPP = """
POST /workers/register           f
    {"workerId": "made-{new}", "endpoint": "http://10.1.0.1/{new}"}
PUT /workers/{id}/heartbeat      f    @station   {"status": "ONLINE"}
POST /workers/{id}/heartbeat     f    @station   {"status": "ONLINE"}
POST /workers/{id}/events        f    @station   {"event": "worker_error", "data": {}}
DELETE /workers/{id}             fa   @station   {}
DELETE /workers/unregister       fa   @station   {"workerId": "{id}"}
POST /webhooks/session-status    f    @session   {"sessionId": "{id}", "status": "ERROR"}
POST /webhooks/session-status/{sessionId}  f  @sessionid  {"status": "ERROR"}
POST /webhooks/message-status    f    @message   {"messageId": "{id}", "status": "READ"}
POST /webhooks/worker-heartbeat  f    @station   {"workerId": "{id}", "status": "ONLINE"}
GET /workers/{id}/sessions/assigned          f  @station
POST /workers/{id}/sessions/recovery-status  f  @station  {"recoveryResults": []}
POST /workers/{id}/sessions-preserved        f  @station  {"preservedSessions": []}
GET /workers/{id}/commands       f    @station
POST /workers/{id}/commands/{cid}/ack        f  @command  {}
GET /workers                     a
POST /workers                    a
    {"workerId": "made-{new}", "endpoint": "http://10.1.0.1/{new}"}
GET /workers/statistics          a
GET /workers/available           a
POST /workers/health-check       a               {}
GET /workers/{id}                a    @station
PUT /workers/{id}                a    @station   {"description": "changed"}
GET /workers/{id}/metrics        a    @station
GET /workers/{id}/events         a    @station
GET /sessions                    ua
POST /sessions                   ua              {"name": "Sales"}
GET /sessions/{id}               ua   @session
DELETE /sessions/{id}            ua   @session   {}
POST /sessions/{id}/connect      ua   @session   {}
POST /sessions/{id}/restart      ua   @session   {}
POST /sessions/{id}/disconnect   ua   @session   {}
POST /sessions/{id}/logout       ua   @session   {}
GET /sessions/{id}/status        ua   @session
GET /sessions/{id}/qr            ua   @session
POST /sessions/{id}/messages     uas  @session
    {"to": "6281234567890", "type": "text", "message": "hello"}
GET /sessions/{id}/messages      uas  @session
GET /messages/{id}               uas  @message
GET /events/stream               uas
GET /events/ws                   uas
"""

SPEECH = """
POST /api/{upload}/createJob     uas             AUDIO
POST /api/{upload}/uploadAudio   uas             AUDIO
POST /api/{stream}/createJob     uas             {"language": "fr"}
POST /api/{stream}/{id}/audio    uas  @job       BYTES
POST /api/{stream}/{id}/end      uas  @job
GET /api/{stream}/stream?job_uuid={id}    o  @job
GET /api/{mode}/result?job_uuid={id}      uas  @job
GET /api/{mode}/events?job_uuid={id}      uas  @job
DELETE /api/{mode}/cancel?job_uuid={id}   uas  @job
POST /api/{mode}/cancel          uas  @job       {"job_uuid": "{id}"}
DELETE /api/{mode}/delete/{id}   uas  @job
GET /api/{mode}/delete/{id}      uas  @job
GET /api/{mode}/jobs             uas
GET /api/{mode}/queue            uas
POST /api/{mode}/claim           w               {"language": "zz"}
POST /api/{mode}/{id}/progress   w    @job       {"progress": 5}
POST /api/{mode}/{id}/checkpoint w    @job       {"data": {}}
POST /api/{mode}/{id}/complete   w    @job       {"result": "words"}
PUT /api/{mode}/{id}/result      w    @job       BYTES
GET /api/{mode}/{id}/result      uas  @job
POST /api/{mode}/{id}/fail       w    @job       {"error_message": "no"}
GET /api/{mode}/{id}/audio       w    @job
GET /api/jobs/ws                 o
"""

MODES = {"{upload}": ("batch", "diarization"), "{stream}": ("streaming",),
         "{mode}": ("batch", "streaming", "diarization")}
JOBS = ("/tasks/persistent-jobs", "/tasks/persistent-jobs/persistent-jobs")


class Line:
    """One route and who may call it. `path` is the pattern, `query` with its {names} is apart."""

    def __init__(self, dialect, text, base=""):
        words = text.split(None, 2)
        self.dialect, self.method = dialect, words[0]
        path, _, self.query = words[1].partition("?")
        self.path = base + path
        rest = words[2].split(None, 1)
        self.roles = rest.pop(0)
        rest = rest[0].strip() if rest else ""
        self.kind = None
        if rest.startswith("@"):
            self.kind, _, rest = rest[1:].partition(" ")
        self.body = rest.strip() or None
        if self.body and self.body.startswith("{"):
            json.loads(self.body)

    def key(self):
        return f"{self.method} {self.path}"

    def writes(self):
        return self.method != "GET" or "/delete/" in self.path


def spoken(text):
    """The lines of dialect 004: each mode under its long and its short name."""
    for mark, modes in MODES.items():
        if mark in text:
            for mode in modes:
                yield text.replace(mark, mode + "Transcription")
                yield text.replace(mark, mode)
            return
    yield text


def rows(table):
    return table.strip().replace("\n    ", " ").splitlines()


def expand():
    """All lines, by dialect and route, as `relais gateway --routes` spells them."""
    found = [Line("qalpuch", text, base) for text in rows(QALPUCH)
             for base in ("/api/v1", "/v1")]
    found += [Line("megahub", text.replace("{jobs}", base)) for text in rows(MEGAHUB)
              for base in (JOBS if "{jobs}" in text else JOBS[:1])]
    found += [Line("whatsapp", text, base) for text in rows(WHATSAPP)
              for base in ("/api/v1", "/api")]
    found += [Line("speech", text) for row in rows(SPEECH) for text in spoken(row)]
    lines = {(line.dialect, line.key()): line for line in found}
    assert len(lines) == len(found), "a route has two lines"
    return lines
