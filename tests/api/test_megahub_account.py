"""Dialect 002 outside /tasks/: /auth/ and /brands/."""
import base64
import json

import pytest

from conftest import Caller
from people import JWT, PASSWORD, REFRESH, Person, name, relais_ok
from rows import row


@pytest.fixture
def person(relais):
    return Person(relais)


@pytest.fixture
def root(relais):
    return relais.caller("admin", "root")


def ok(answer, status=200):
    assert answer.status_code == status, answer.text
    return answer.json()


def refused(answer, status, code, *fields):
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error_code"] == code and isinstance(body["detail"], str), body
    assert set(body["field_errors"]) == set(fields), body
    return body


def login(server, **body):
    return Caller(server.http).post("/auth/login/", body)


def session(person, password=PASSWORD):
    data = ok(login(person.server, username=person.name, password=password))
    return Caller(person.server.http, data["access"]), data


# ---- login ----

@row("POST /auth/login")
def test_a_login_gives_access_refresh_and_user(person):
    data = ok(login(person.server, username=person.name, password=PASSWORD, remember_me=True))
    assert JWT.fullmatch(data["access"]) and REFRESH.fullmatch(data["refresh"])
    user = data["user"]
    assert (user["id"], user["username"], user["email"]) == (person.id, person.name, person.email)
    assert user["role"] == "user" and user["brand_admin"] is False
    assert [brand["id"] for brand in user["brands"]] == [1]
    assert user["must_change_password"] is False
    ok(Caller(person.server.http, data["access"]).get("/tasks/"))


def test_an_access_token_is_good_for_ten_hours_and_says_so(person):
    _, data = session(person)
    for _ in range(2):
        part = data["access"].split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        assert said["exp"] - said["iat"] == 36000
        data = ok(Caller(person.server.http).post("/auth/refresh/", {"refresh": data["refresh"]}))


def test_the_address_logs_in_too_under_either_name(person):
    ok(login(person.server, username=person.email, password=PASSWORD))
    ok(login(person.server, email=person.email.upper(), password=PASSWORD))


@row("POST /auth/login", error=400)
def test_bad_credentials_are_400(person):
    wrong = refused(login(person.server, username=person.name, password="wrong"), 400,
                    "VALIDATION_ERROR")
    unknown = refused(login(person.server, username="nobody", password="wrong"), 400,
                      "VALIDATION_ERROR")
    assert wrong == unknown
    refused(login(person.server), 400, "VALIDATION_ERROR", "username", "password")
    refused(login(person.server, username=person.name, password=7), 400, "VALIDATION_ERROR",
            "password")


@row("POST /auth/login")
@row("POST /auth/refresh")
@row("POST /auth/logout")
def test_a_login_by_form(person):
    """As DRF's parsers take it; the fields are checked like those of JSON."""
    caller = Caller(person.server.http)
    fields = {"username": f"{person.name}", "password": PASSWORD, "remember_me": "on"}
    encoded = ok(caller.call("POST", "/auth/login/", data=fields))
    parts = ok(caller.call("POST", "/auth/login/", files={k: (None, v) for k, v in fields.items()}))
    assert encoded["user"] == parts["user"]
    again = ok(caller.call("POST", "/auth/refresh/", data={"refresh": parts["refresh"]}))
    ok(Caller(person.server.http, again["access"]).call("POST", "/auth/logout/",
                                                        data={"refresh": again["refresh"]}))
    last = {"data": f"username=nobody&password=x&username={person.email.replace('@', '%40')}"
                    f"&password={PASSWORD.replace(' ', '+')}",
            "headers": {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}}
    ok(caller.call("POST", "/auth/login/", **last))


@row("POST /auth/login", error=400)
@pytest.mark.parametrize("body, kind, fields", [
    ("", "application/x-www-form-urlencoded", ("username", "password")),
    ("username=%&=&&password", "application/x-www-form-urlencoded", ("password",)),
    ("username=a&password=%ff", "application/x-www-form-urlencoded", ()),
    ("&".join(f"f{i}=" for i in range(100)), "application/x-www-form-urlencoded", ()),
    ("--b\r\nbroken", "multipart/form-data; boundary=b", ()),
    ("x", "multipart/form-data", ()),
    ('--b\r\nContent-Disposition: form-data; name="username"; filename="f"\r\n\r\nx\r\n--b--\r\n',
     "multipart/form-data; boundary=b", ()),
    ('--b\r\nContent-Disposition: form-data; name="username"\r\n\r\n\r\n--b--\r\n',
     "multipart/form-data; boundary=b", ("username", "password"))])
def test_a_form_that_cannot_be(relais, body, kind, fields):
    refused(Caller(relais.http).call("POST", "/auth/login/", data=body,
                                     headers={"Content-Type": kind}), 400, "VALIDATION_ERROR",
            *fields)


@row("POST /auth/login", error=415)
def test_another_media_type_is_not_read(relais):
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencodedx"):
        refused(Caller(relais.http).call("POST", "/auth/login/", data="username=a", headers={
            "Content-Type": kind}), 415, "UNSUPPORTED_MEDIA_TYPE")


@row("POST /auth/login", error=429)
def test_too_many_logins_say_when_in_minutes(relais_with):
    server = relais_with("--logins-per-min=2")
    for _ in range(2):
        assert login(server, username="bob", password="guess").status_code == 400
    answer = login(server, username="bob", password="guess")
    body = refused(answer, 429, "THROTTLED")
    assert isinstance(body["error"], str) and body["retry_after"] >= 1
    assert int(answer.headers["Retry-After"]) > 0


def test_a_made_password_must_be_changed_first(relais):
    who = name()
    password = relais_ok(relais, "user", "add", who, "--brand=1").strip()
    data = ok(login(relais, username=who, password=password))
    assert data["user"]["must_change_password"] is True
    caller = Caller(relais.http, data["access"])
    refused(caller.get("/tasks/"), 403, "PERMISSION_DENIED")
    assert ok(caller.get("/auth/me/"))["username"] == who
    ok(caller.post("/auth/change-password/", {
        "current_password": password, "new_password": PASSWORD,
        "new_password_confirm": PASSWORD}))
    fresh = ok(Caller(relais.http).post("/auth/refresh/", {"refresh": data["refresh"]}))
    ok(Caller(relais.http, fresh["access"]).get("/tasks/"))


# ---- refresh, logout ----

@row("POST /auth/refresh")
def test_a_refresh_gives_access_and_rotates(person):
    _, data = session(person)
    fresh = ok(Caller(person.server.http).post("/auth/refresh/", {"refresh": data["refresh"]}))
    assert JWT.fullmatch(fresh["access"]) and fresh["refresh"] != data["refresh"]
    ok(Caller(person.server.http, fresh["access"]).get("/auth/me/"))


@row("POST /auth/refresh", error=401)
def test_a_used_or_foreign_refresh_is_401(person, nobody):
    _, data = session(person)
    ok(nobody.post("/auth/refresh/", {"refresh": data["refresh"]}))
    refused(nobody.post("/auth/refresh/", {"refresh": data["refresh"]}), 401, "TOKEN_INVALID")
    refused(nobody.post("/auth/refresh/", {"refresh": "x"}), 401, "TOKEN_INVALID")
    refused(nobody.post("/auth/refresh/", {}), 400, "VALIDATION_ERROR", "refresh")


@row("POST /auth/logout")
def test_a_logout_ends_the_login(person, nobody):
    caller, data = session(person)
    ok(caller.post("/auth/logout/", {"refresh": data["refresh"]}))
    refused(caller.get("/auth/me/"), 401, "TOKEN_INVALID")
    refused(nobody.post("/auth/refresh/", {"refresh": data["refresh"]}), 401, "TOKEN_INVALID")


@row("POST /auth/logout", error=401)
@row("GET /auth/me", error=401)
@row("PATCH /auth/me", error=401)
@row("PUT /auth/update-profile", error=401)
@row("PATCH /auth/update-profile", error=401)
@row("POST /auth/change-password", error=401)
@row("GET /brands", error=401)
@row("GET /brands/{id}", error=401)
@pytest.mark.parametrize("method, path", [
    ("POST", "/auth/logout/"), ("GET", "/auth/me/"), ("PATCH", "/auth/me/"),
    ("PUT", "/auth/update-profile/"), ("PATCH", "/auth/update_profile/"),
    ("POST", "/auth/change-password/"), ("GET", "/brands/"), ("GET", "/brands/1/")])
def test_without_a_token_it_is_401(nobody, method, path):
    answer = nobody.call(method, path)
    refused(answer, 401, "NOT_AUTHENTICATED")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


# ---- the caller ----

@row("GET /auth/me")
@row("PATCH /auth/me")
@row("PATCH /auth/update-profile")
@row("PUT /auth/update-profile")
def test_who_i_am_and_what_i_change(person):
    caller, _ = session(person)
    assert ok(caller.get("/auth/me/"))["name"] == person.name
    assert ok(caller.call("PATCH", "/auth/me/", json={"name": "Bob"}))["name"] == "Bob"
    email = f"{name()}@example.org"
    user = ok(caller.call("PATCH", "/auth/update-profile/", json={"email": email}))
    assert (user["email"], user["name"]) == (email, "Bob")
    assert ok(caller.put("/auth/update_profile/", json={"name": "Rob"}))["name"] == "Rob"


def test_nobody_gives_himself_rights(person):
    caller, _ = session(person)
    user = ok(caller.call("PATCH", "/auth/me/", json={
        "role": "admin", "brand_admin": True, "brands": [1, 2], "is_staff": True, "name": "x"}))
    assert user["role"] == "user" and user["brand_admin"] is False
    assert [brand["id"] for brand in user["brands"]] == [1]


@row("PATCH /auth/me", error=400)
@row("PATCH /auth/update-profile", error=400)
@row("PUT /auth/update-profile", error=400)
@pytest.mark.parametrize("method, path", [("PATCH", "/auth/me/"), ("PUT", "/auth/update-profile/")])
def test_a_bad_profile_is_refused(person, method, path):
    caller, _ = session(person)
    refused(caller.call(method, path, json={"email": "x"}), 400, "VALIDATION_ERROR", "email")
    refused(caller.call(method, path, json={"name": "a\nb"}), 400, "VALIDATION_ERROR", "name")


@row("POST /auth/change-password")
def test_a_password_is_changed(person):
    caller, _ = session(person)
    other, _ = session(person)
    ok(caller.post("/auth/change_password/", {
        "current_password": PASSWORD, "new_password": "entirely new one",
        "new_password_confirm": "entirely new one"}))
    ok(caller.get("/auth/me/"))
    refused(other.get("/auth/me/"), 401, "TOKEN_INVALID")
    session(person, "entirely new one")


@row("POST /auth/change-password", error=400)
@pytest.mark.parametrize("body, field", [
    ({"current_password": "wrong one"}, "current_password"), ({"new_password": "short",
     "new_password_confirm": "short"}, "new_password"),
    ({"new_password_confirm": "something else"}, "new_password_confirm")])
def test_a_bad_change_names_its_field(person, body, field):
    caller, _ = session(person)
    whole = {"current_password": PASSWORD, "new_password": "entirely new one",
             "new_password_confirm": "entirely new one", **body}
    refused(caller.post("/auth/change-password/", whole), 400, "VALIDATION_ERROR", field)


# ---- brands ----

@row("GET /brands")
@row("GET /brands/{id}")
def test_a_user_sees_the_brands_of_the_token(relais, root, brand):
    made = ok(root.post("/brands/", {"name": name()}), 201)
    user = relais.caller("user", name(), (brand, made["id"]))
    body = ok(user.get("/brands/"))
    assert body["count"] == 2 and body["next"] is None and body["previous"] is None
    assert made in body["results"] and [b["id"] for b in body["results"]] == [brand, made["id"]]
    assert ok(user.get(f"/brands/{made['id']}/")) == made
    assert ok(user.get("/brands/?search=" + made["name"].upper()))["results"] == [made]
    first = ok(user.get("/brands/?page_size=1"))
    assert first["count"] == 2 and [b["id"] for b in first["results"]] == [brand]
    last = ok(user.get(first["next"][len(user.base):]))
    assert last["results"] == [made] and last["next"] is None
    refused(user.get("/brands/?page=9"), 404, "NOT_FOUND")


@row("GET /brands/{id}", error=404)
@row("PUT /brands/{id}", error=404)
@row("PATCH /brands/{id}", error=404)
@row("DELETE /brands/{id}", error=404)
@pytest.mark.parametrize("number", ["0", "x", "4294967296", "99999999999", "3999999999"])
def test_another_brand_is_not_there(user, root, number):
    refused(user.get(f"/brands/{number}/"), 404, "NOT_FOUND")
    for method in ("PUT", "PATCH", "DELETE"):
        refused(root.call(method, f"/brands/{number}/", json={"name": name()}
                          if method != "DELETE" else None), 404, "NOT_FOUND")


@row("GET /brands", error=403)
def test_a_brand_header_of_another_is_403(user):
    refused(user.get("/brands/", headers={"X-Brand-ID": "99"}), 403, "BRAND_FORBIDDEN")


@row("POST /brands")
@row("PUT /brands/{id}")
@row("PATCH /brands/{id}")
@row("DELETE /brands/{id}")
def test_an_admin_makes_renames_and_deletes_brands(root):
    first, second, third = name(), name(), name()
    answer = root.post("/brands/", {"name": first})
    made = ok(answer, 201)
    assert made["name"] == first and answer.headers["Location"].endswith(f"/brands/{made['id']}/")
    assert ok(root.put(f"/brands/{made['id']}/", json={"name": second}))["name"] == second
    assert ok(root.call("PATCH", f"/brands/{made['id']}/", json={"name": third}))["name"] == third
    ok(root.post("/brands/", {"name": first}), 201)
    pages = ok(root.get("/brands/", params={"page_size": 1000}))
    assert {"id": made["id"], "name": third} in pages["results"]
    assert pages["count"] == len(pages["results"])
    one = ok(root.get("/brands/", params={"page_size": 1}))
    assert len(one["results"]) == 1 and "page=2" in one["next"]
    gone = root.delete(f"/brands/{made['id']}/")
    assert gone.status_code == 204 and gone.content == b""
    refused(root.get(f"/brands/{made['id']}/"), 404, "NOT_FOUND")


@row("POST /brands", error=400)
@row("PUT /brands/{id}", error=400)
def test_a_brands_name_is_checked_and_taken_once(root):
    taken = ok(root.post("/brands/", {"name": name()}), 201)
    other = ok(root.post("/brands/", {"name": name()}), 201)
    for body in ({}, {"name": ""}, {"name": None}, {"name": "x" * 101}, {"name": "a\tb"},
                 {"name": taken["name"]}, {"name": taken["name"].upper()}):
        refused(root.post("/brands/", body), 400, "VALIDATION_ERROR", "name")
    refused(root.put(f"/brands/{other['id']}/", json={"name": taken["name"]}), 400,
            "VALIDATION_ERROR", "name")


@row("POST /brands", error=403)
@row("PUT /brands/{id}", error=403)
@row("PATCH /brands/{id}", error=403)
@row("DELETE /brands/{id}", error=403)
def test_brands_are_made_by_admins_of_all(relais, user, brand):
    chief = relais.caller("admin", f"chief-{brand}", brand)
    for caller in (user, chief):
        refused(caller.post("/brands/", {"name": name()}), 403, "PERMISSION_DENIED")
        for method in ("PUT", "PATCH", "DELETE"):
            refused(caller.call(method, f"/brands/{brand}/", json={"name": name()}
                                if method != "DELETE" else None), 403, "PERMISSION_DENIED")


def test_brands_made_at_once_get_numbers_of_their_own(root):
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: ok(root.post("/brands/", {"name": name()}), 201),
                             range(4)))
    assert len({brand["id"] for brand in made}) == 4
