"""What the tests of persistent jobs share."""

JOBS = "/tasks/persistent-jobs/persistent-jobs/"
POINTS = "/tasks/persistent-jobs/checkpoints/"
DATA = {"urls": ["a", "b"], "depth": 2}


def job(user, **fields):
    """A job on a task of its own."""
    fields = {"task_type": "crawl", "job_data": DATA, "total_steps": 4, **fields}
    answer = user.post(JOBS, fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def job_of(user, task, **fields):
    answer = user.post(JOBS, {"base_task": task["id"], "job_data": DATA, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def point(caller, job, step, data=None, **fields):
    """A checkpoint; the answer's body."""
    answer = caller.post(POINTS, {"persistent_job": job["id"], "step_name": step,
                                  "checkpoint_data": {"at": step} if data is None else data,
                                  **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def read(user, job):
    answer = user.get(f"{JOBS}{job['id']}/")
    assert answer.status_code == 200, answer.text
    return answer.json()


def failed(user, worker, *steps, **fields):
    """A job that failed after checkpoints of these steps."""
    made = job(user, **fields)
    answer = worker.post("/tasks/claim/", {"limit": 1})
    assert answer.status_code == 200 and answer.json()["count"] == 1, answer.text
    assert answer.json()["tasks"][0]["id"] == made["id"]
    for number, step in enumerate(steps, 1):
        point(worker, made, step, completed_steps=number)
    answer = worker.post(f"/tasks/{made['id']}/fail/", {"error_message": "no disk"})
    assert answer.status_code == 200, answer.text
    return made


def numbers(answer):
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["results"]]
