"""/openapi.json says what the route tables say."""
import re
import subprocess

import pytest

from conftest import RELAIS, Caller

METHODS = {"get", "post", "put", "patch", "delete"}
DIALECTS = ["qalpuch", "megahub", "whatsapp", "speech"]


@pytest.fixture(scope="module")
def routes():
    """Dialect -> {(METHOD, path)}, as `relais gateway --routes` prints them."""
    out = subprocess.run([RELAIS, "gateway", "--routes"], capture_output=True, text=True,
                         check=True).stdout
    found, name = {}, None
    for line in out.splitlines():
        if line.startswith("# "):
            name = line[2:]
        elif line.strip():
            found.setdefault(name, set()).add(tuple(line.split()))
    return found


def said(document):
    return {(method.upper(), path.rstrip("/")) for path, item in document["paths"].items()
            for method in item if method in METHODS}


def operations(document):
    return [(path, method, one) for path, item in document["paths"].items()
            for method, one in item.items()]


@pytest.fixture(scope="module")
def whole(relais):
    answer = Caller(relais.http).get("/openapi.json")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
    return answer.json()


@pytest.mark.parametrize("name", DIALECTS)
def test_a_dialect_s_document_has_each_of_its_routes_and_no_other(relais, routes, name):
    document = Caller(relais.http).get(f"/openapi/{name}.json").json()
    assert document["openapi"] == "3.1.0"
    assert said(document) == routes[name]


def test_the_whole_has_all_dialects_and_the_house(whole, routes):
    wanted = set().union(*(routes[name] for name in DIALECTS))
    assert wanted <= said(whole)
    assert {path for _, path in said(whole) - wanted} >= {"/healthz", "/metrics", "/openapi.json"}


def test_a_document_of_nothing_is_not_found(relais):
    answer = Caller(relais.http).get("/openapi/nothing.json")
    assert answer.status_code == 404 and answer.json()["code"] == "NOT_FOUND"


def test_every_operation_is_whole(whole):
    ids = [one["operationId"] for _, _, one in operations(whole)]
    assert len(ids) == len(set(ids)) > 400
    schemes = set(whole["components"]["securitySchemes"])
    for path, method, one in operations(whole):
        named = {p["name"] for p in one["parameters"] if p["in"] == "path"}
        assert named == set(re.findall("{(.*?)}", path)), path
        assert one["summary"] and one["tags"], (method, path)
        assert {name for need in one["security"] for name in need} <= schemes
        assert "4XX" in one["responses"], (method, path)
        assert any(re.fullmatch("1..|2..", status) for status in one["responses"])


def test_guards_are_security(whole):
    paths = whole["paths"]
    assert paths["/healthz"]["get"]["security"] == []
    assert paths["/tasks/"]["post"]["security"] == [{"token": []}]
    assert paths["/api/batch/jobs"]["get"]["security"] == [{"token": []}, {"key": []}]
    assert {"fleet": []} in paths["/api/workers/register"]["post"]["security"]


def test_bodies_say_what_must_be_there(whole):
    body = whole["paths"]["/tasks/"]["post"]["requestBody"]["content"]["application/json"]
    schema = body["schema"]
    assert schema["required"] == ["task_type"]
    assert schema["properties"]["priority"]["anyOf"][0]["enum"] == ["low", "normal", "high",
                                                                    "critical"]
    assert schema["properties"]["context_data"]["type"] == ["object", "null"]
    form = whole["paths"]["/api/v1/files/upload"]["post"]["requestBody"]["content"]
    assert "file" in form["multipart/form-data"]["schema"]["required"]
    assert "text/event-stream" in \
        whole["paths"]["/api/events/stream"]["get"]["responses"]["200"]["content"]


def test_what_is_documented_belongs_to_a_route(relais, routes):
    """Each line of openapi_body.def fits a route; one left over would be a wrong promise."""
    import pathlib
    table = pathlib.Path(__file__).parents[2] / "gateway/openapi_body.def"
    lines = re.findall(r'^SAID\("(\w+)", (\w+), "([^"]+)"', table.read_text(), re.M)
    assert len(lines) > 80
    for name, method, tail in lines:
        if name != "house":
            assert any(m == method and path.endswith(tail) for m, path in routes[name]), \
                (name, method, tail)
