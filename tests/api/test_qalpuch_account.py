"""Dialect 000's account rows: login, registration, refresh, logout, passwords, users."""
import itertools

import pytest

from conftest import TIME, Caller
from people import (BASE, JWT, PASSWORD, REFRESH, Person, alive, dead, good, name, refresh,
                    refused,
                    relais_ok)
from rows import row


@pytest.fixture
def person(relais):
    return Person(relais)


@pytest.fixture
def admin(relais):
    return relais.caller("admin", "root")


def is_user(data, name, email, role="user"):
    assert isinstance(data["id"], int) and data["id"] > 0
    assert (data["name"], data["email"], data["role"]) == (name, email, role)
    assert TIME.fullmatch(data["createdAt"]) and data["created_at"] == data["createdAt"]
    assert not {"password", "hash"} & set(data)


# ---- login ----

@row("POST /api/v1/login")
def test_a_password_gives_tokens(person):
    data = good(person.login())
    assert JWT.fullmatch(data["token"]) and REFRESH.fullmatch(data["refreshToken"])
    is_user(data["user"], person.name, person.email)
    assert alive(Caller(person.server.http, data["token"]))


def test_tokens_stand_twice_for_clients_that_unwrap_twice(person, relais_with):
    data = good(person.login())
    inner = data["data"]
    assert data["success"] is True and inner["token"] == data["token"]
    assert inner["refreshToken"] == data["refreshToken"] and inner["user"] == data["user"]
    plain = Person(relais_with("--nested-answers=false"))
    assert "data" not in good(plain.login())


def test_the_address_counts_in_any_case_and_the_name_logs_in_too(person):
    assert good(person.login(handle=person.email.upper()))["user"]["id"] == person.id
    assert good(person.login(handle=person.name))["user"]["id"] == person.id


@row("POST /api/v1/login", error=400)
@pytest.mark.parametrize("body", [{}, {"email": "a@b.c"}, {"password": "x"},
                                  {"email": "", "password": "x"},
                                  {"email": "a@b.c", "password": ""}, {"email": 7, "password": "x"},
                                  {"email": "a@b.c", "password": ["x"]},
                                  {"email": None, "password": "x"},
                                  {"email": "a@b.c", "password": "x" * 2000},
                                  {"email": "a" * 200, "password": "x"}])
def test_a_login_needs_both_fields(nobody, body):
    refused(nobody.post(BASE + "/login", body), 400, "VALIDATION_ERROR")


@row("POST /api/v1/login", error=401)
def test_wrong_passwords_and_unknown_users_look_alike(person, nobody):
    wrong = refused(person.login("wrong password"), 401, "UNAUTHORIZED")
    unknown = refused(nobody.post(BASE + "/login", {
        "email": "nobody@example.org", "password": PASSWORD}), 401, "UNAUTHORIZED")
    assert wrong == unknown


@row("POST /api/v1/login", error=429)
def test_one_account_takes_few_logins_a_minute(relais_with):
    server = relais_with("--logins-per-min=3")
    person = Person(server)
    answers = [person.login("guess %d" % i, handle=spelling) for i, spelling in
               zip(range(5), itertools.cycle([person.email, person.email.upper()]))]
    assert [a.status_code for a in answers] == [401] * 3 + [429] * 2
    refused(answers[-1], 429, "RATE_LIMITED")
    assert int(answers[-1].headers["Retry-After"]) > 0
    other = Person(server)
    good(other.login())


def test_the_short_base_serves_the_same(person):
    data = good(Caller(person.server.http).post("/v1/login", {"email": person.email,
                                                              "password": PASSWORD}))
    assert Caller(person.server.http, data["token"]).get("/v1/tasks").status_code == 200


# ---- registration ----

@row("POST /api/v1/register")
def test_a_registration_is_an_account_and_a_login(relais, nobody):
    who = name()
    data = good(nobody.post(BASE + "/register", {
        "username": who, "email": f"{who}@example.org", "password": PASSWORD}), 201)
    is_user(data, who, f"{who}@example.org")
    is_user(data["user"], who, f"{who}@example.org")
    assert data["data"]["token"] == data["token"]
    assert alive(Caller(relais.http, data["token"]))


@row("POST /api/v1/register", error=409)
def test_an_address_or_a_name_is_taken_once(person, nobody):
    def register(username, email):
        return nobody.post(BASE + "/register", {"username": username, "email": email,
                                                "password": PASSWORD})

    for email in (person.email, person.email.upper()):
        refused(register(name(), email), 409, "CONFLICT")
    refused(register(person.name, f"{name()}@example.org"), 409, "CONFLICT")


@row("POST /api/v1/register", error=400)
@pytest.mark.parametrize("change", [
    {"username": None}, {"username": ""}, {"username": "a/b"}, {"username": "../etc"},
    {"username": "a\nb"}, {"username": "a\x7fb"}, {"username": " a"}, {"username": "a@b"},
    {"username": "x" * 64}, {"username": 7}, {"email": "no address"}, {"email": "a@b"},
    {"email": "a@b.c\r\nBcc: x@y.z"}, {"email": "a" * 130 + "@b.cd"}, {"password": "short"},
    {"password": "x" * 1025}, {"password": None}])
def test_fields_of_a_registration_are_checked(nobody, change):
    body = {"username": name(), "email": f"{name()}@example.org", "password": PASSWORD, **change}
    refused(nobody.post(BASE + "/register", body), 400, "VALIDATION_ERROR")


def test_a_nul_or_a_megabyte_is_refused_as_a_body(nobody):
    head = {"Content-Type": "application/json"}
    body = b'{"email":"a@b.cd","password":"with\\u0000nul"}'
    refused(nobody.post(BASE + "/login", data=body, headers=head), 400, "VALIDATION_ERROR")
    body = b'{"email":"a@b.cd","password":"' + b"x" * (1 << 20) + b'"}'
    refused(nobody.post(BASE + "/login", data=body, headers=head), 413, "PAYLOAD_TOO_LARGE")


def test_nobody_registers_himself_more(nobody, relais):
    who = name()
    data = good(nobody.post(BASE + "/register", {
        "username": who, "email": f"{who}@example.org", "password": PASSWORD, "role": "admin",
        "brand_admin": True, "brands": [1, 2], "disabled": False}), 201)
    assert data["role"] == "user"
    refused(Caller(relais.http, data["token"]).get(BASE + "/users"), 403, "FORBIDDEN")


@row("POST /api/v1/register", error=403)
def test_registration_can_be_closed(relais_with):
    server = relais_with("--register-open=false")
    refused(Caller(server.http).post(BASE + "/register", {
        "username": "bob", "email": "bob@example.org", "password": PASSWORD}), 403, "FORBIDDEN")


# ---- refresh and logout ----

@row("POST /api/v1/refresh")
def test_a_refresh_token_is_traded_once(person):
    data = good(refresh(person.server, person.refresh))
    assert JWT.fullmatch(data["token"]) and data["refreshToken"] != person.refresh
    assert alive(Caller(person.server.http, data["token"]))
    good(refresh(person.server, data["refreshToken"]))


@row("POST /api/v1/refresh", error=401)
@pytest.mark.parametrize("token", ["x", "0" * 32 + "-" + "A" * 43, "é" * 40, "a" * 76, " " * 76])
def test_what_is_no_refresh_token_is_refused(relais, token):
    refused(refresh(relais, token), 401, "UNAUTHORIZED")


@row("POST /api/v1/refresh", error=400)
def test_a_refresh_needs_its_token(nobody):
    refused(nobody.post(BASE + "/refresh", {}), 400, "VALIDATION_ERROR")


@row("POST /api/v1/logout")
@row("GET /api/v1/logout")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_logout_ends_this_login_and_no_other(person, method):
    caller, token = person.session()
    assert alive(caller)
    good(caller.call(method, BASE + "/logout"))
    assert dead(caller)
    refused(refresh(person.server, token), 401, "UNAUTHORIZED")
    assert alive(person.caller())
    good(refresh(person.server, person.refresh))


def test_a_logout_may_end_another_login_of_the_same_user(person, relais):
    here, _ = person.session()
    there, token = person.session()
    stranger = Person(relais)
    good(stranger.caller().post(BASE + "/logout", {"refreshToken": token}))
    assert alive(there), "a stranger's logout ends nothing of ours"
    good(here.post(BASE + "/logout", {"refreshToken": token}))
    assert dead(here) and dead(there)
    refused(refresh(relais, token), 401, "UNAUTHORIZED")


@row("POST /api/v1/logout", error=401)
@row("GET /api/v1/logout", error=401)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_logout_needs_a_login(nobody, method):
    refused(nobody.call(method, BASE + "/logout"), 401, "UNAUTHORIZED")


# ---- passwords ----

@row("POST /api/v1/change-password")
def test_a_new_password_ends_the_other_logins(person):
    there, token = person.session()
    mine = person.caller()
    good(mine.post(BASE + "/change-password", {"oldPassword": PASSWORD,
                                               "newPassword": "another one entirely"}))
    refused(person.login(), 401, "UNAUTHORIZED")
    good(person.login("another one entirely"))
    assert alive(mine), "the login that changed it stays"
    assert dead(there)
    refused(refresh(person.server, token), 401, "UNAUTHORIZED")
    good(refresh(person.server, person.refresh))


@row("POST /api/v1/change-password", error=401)
def test_the_old_password_must_be_right(person):
    refused(person.caller().post(BASE + "/change-password", {
        "oldPassword": "wrong", "newPassword": "another one"}), 401, "UNAUTHORIZED")
    good(person.login())


@row("POST /api/v1/change-password", error=400)
@pytest.mark.parametrize("body", [{}, {"oldPassword": PASSWORD},
                                  {"oldPassword": PASSWORD, "newPassword": "short"}])
def test_a_new_password_is_checked(person, body):
    refused(person.caller().post(BASE + "/change-password", body), 400, "VALIDATION_ERROR")


# ---- users, for administrators ----

@row("POST /api/v1/users")
def test_a_made_user_gets_a_password_that_must_be_changed(admin, relais):
    email = f"{name()}@example.org"
    data = good(admin.post(BASE + "/users", {"name": "Jean Dupont", "email": email}), 201)
    assert (data["name"], data["email"], data["role"]) == ("Jean Dupont", email, "user")
    assert data["mustChangePassword"] is True and len(data["password"]) >= 16
    session = good(Caller(relais.http).post(BASE + "/login", {
        "email": email, "password": data["password"]}))
    assert session["user"]["mustChangePassword"] is True
    caller = Caller(relais.http, session["token"])
    assert "password" in refused(caller.get(BASE + "/tasks"), 403, "FORBIDDEN")
    good(caller.post(BASE + "/change-password", {"oldPassword": data["password"],
                                                 "newPassword": PASSWORD}))
    fresh = good(refresh(relais, session["refreshToken"]))
    assert fresh["user"]["mustChangePassword"] is False
    assert alive(Caller(relais.http, fresh["token"]))


def test_two_users_may_be_called_the_same(admin):
    made = [good(admin.post(BASE + "/users", {"name": "Same Name",
                                              "email": f"{name()}@x.org"}), 201)
            for _ in range(2)]
    assert made[0]["name"] == made[1]["name"] and made[0]["username"] != made[1]["username"]


@row("POST /api/v1/users", error=409)
def test_a_users_address_is_taken_once(admin, person):
    refused(admin.post(BASE + "/users", {"name": "x", "email": person.email.title()}), 409,
            "CONFLICT")


@row("POST /api/v1/users", error=400)
@pytest.mark.parametrize("body", [{}, {"name": "x"}, {"name": "x", "email": "y"},
                                  {"name": "a\x01", "email": "a@b.cd"},
                                  {"name": "x", "email": "a@b.cd", "role": "root"},
                                  {"name": "x", "email": "a@b.cd", "password": "short"}])
def test_a_made_user_is_checked(admin, body):
    refused(admin.post(BASE + "/users", body), 400, "VALIDATION_ERROR")


@row("GET /api/v1/users")
@row("GET /api/v1/users/search")
@row("GET /api/v1/users/{id}")
def test_an_admin_sees_users(admin, person):
    answer = admin.get(BASE + "/users")
    users = good(answer)
    assert isinstance(users, list) and int(answer.headers["X-Total-Count"]) >= 1
    assert person.id in [u["id"] for u in users]
    is_user(good(admin.get(f"{BASE}/users/{person.id}")), person.name, person.email)
    for words in (person.name, person.name[:-1], person.email):
        found = good(admin.get(BASE + "/users/search", params={"q": words}))
        assert person.id in [u["id"] for u in found], words
    assert good(admin.get(BASE + "/users/search", params={"q": "zzz-not-there"})) == []


def test_a_search_does_not_look_into_what_is_secret(admin, person):
    for words in ("argon2id", "v=19", "m=65536"):
        assert good(admin.get(BASE + "/users/search", params={"q": words})) == []


@row("GET /api/v1/users/search", error=400)
def test_a_search_needs_words(admin):
    refused(admin.get(BASE + "/users/search"), 400, "VALIDATION_ERROR")


@row("GET /api/v1/users", error=403)
@row("GET /api/v1/users/search", error=403)
@row("GET /api/v1/users/{id}", error=403)
@row("POST /api/v1/users", error=403)
@row("DELETE /api/v1/users/{id}", error=403)
@pytest.mark.parametrize("method, path", [("GET", "/users"), ("GET", "/users/search?q=a"),
                                          ("GET", "/users/1"), ("POST", "/users"),
                                          ("DELETE", "/users/1")])
def test_users_are_an_admins_affair(person, worker, method, path):
    refused(person.caller().call(method, BASE + path), 403, "FORBIDDEN")
    refused(worker.call(method, BASE + path), 403, "FORBIDDEN")


@row("GET /api/v1/users/{id}", error=404)
@row("PUT /api/v1/users/{id}", error=404)
@row("DELETE /api/v1/users/{id}", error=404)
@pytest.mark.parametrize("who", ["999999999", "0", "x", "-1", "99999999999999999999", "1e3"])
def test_an_unknown_user_is_not_there(admin, who):
    refused(admin.get(f"{BASE}/users/{who}"), 404, "NOT_FOUND")
    refused(admin.put(f"{BASE}/users/{who}", json={"name": "x"}), 404, "NOT_FOUND")
    refused(admin.delete(f"{BASE}/users/{who}"), 404, "NOT_FOUND")


@row("PUT /api/v1/users/{id}")
def test_a_user_changes_himself(person):
    email = f"{name()}@example.org"
    mine = person.caller()
    data = good(mine.put(f"{BASE}/users/{person.id}", json={"name": "Bob B", "email": email}))
    is_user(data, "Bob B", email)
    assert good(person.login(handle=email))["user"]["name"] == "Bob B"
    refused(person.login(handle=person.email), 401, "UNAUTHORIZED")


@row("PUT /api/v1/users/{id}", error=403)
def test_nobody_gives_himself_rights(person, relais):
    mine, other = person.caller(), Person(relais)
    refused(mine.put(f"{BASE}/users/{person.id}", json={"role": "admin"}), 403, "FORBIDDEN")
    refused(mine.put(f"{BASE}/users/{other.id}", json={"name": "x"}), 403, "FORBIDDEN")
    data = good(mine.put(f"{BASE}/users/{person.id}", json={
        "name": "x", "role": "user", "brand_admin": True, "brands": [7], "disabled": True,
        "hash": "", "id": 1, "limited": False}))
    assert data["role"] == "user" and data["disabled"] is False and data["id"] == person.id
    assert '"brands":[1]' in relais_ok(relais, "user", "show", person.name, "--json")


@row("PUT /api/v1/users/{id}", error=409)
def test_a_taken_address_stays_whose_it_is(person, relais):
    other = Person(relais)
    refused(other.caller().put(f"{BASE}/users/{other.id}", json={"email": person.email}), 409,
            "CONFLICT")
    good(person.login())


@row("PUT /api/v1/users/{id}", error=400)
@pytest.mark.parametrize("body", [{"email": "x"}, {"email": ""}, {"role": "root"}, {"name": 7}])
def test_a_change_is_checked(person, body):
    refused(person.caller().put(f"{BASE}/users/{person.id}", json=body), 400, "VALIDATION_ERROR")


def test_new_rights_take_effect_with_the_next_token(admin, person):
    mine = person.caller()
    assert good(admin.put(f"{BASE}/users/{person.id}", json={"role": "admin"}))["role"] == "admin"
    assert dead(mine), "what the old token says holds no longer"
    fresh = good(refresh(person.server, person.refresh))
    good(Caller(person.server.http, fresh["token"]).get(BASE + "/users"))


def test_an_admin_gives_brands_and_rights(admin, person, relais, brand):
    mine, path = person.caller(), f"{BASE}/users/{person.id}"
    data = good(admin.put(path, json={"brands": [1, brand], "brandAdmin": True}))
    assert data["brands"] == [1, brand] and data["brandAdmin"] is True
    assert dead(mine)
    fresh = Caller(relais.http, good(refresh(relais, person.refresh))["token"])
    good(fresh.get(BASE + "/tasks", headers={"X-Brand-ID": str(brand)}))
    for brands in (["x"], [0], [-1], [1.5], [2 ** 32], 7, [1] * 33):
        refused(admin.put(path, json={"brands": brands}), 400, "VALIDATION_ERROR")
    chief = relais.caller("admin", f"boss-{brand}", 1)
    refused(chief.put(path, json={"name": "x"}), 403, "FORBIDDEN")
    good(admin.put(path, json={"brands": [1]}))
    refused(chief.put(path, json={"brands": [1, brand]}), 400, "VALIDATION_ERROR")
    refused(chief.put(path, json={"brands": []}), 400, "VALIDATION_ERROR")
    assert good(chief.put(path, json={"brandAdmin": False}))["brandAdmin"] is False


def test_a_disabled_user_is_out(admin, person):
    mine = person.caller()
    good(admin.put(f"{BASE}/users/{person.id}", json={"disabled": True}))
    assert dead(mine)
    refused(refresh(person.server, person.refresh), 401, "UNAUTHORIZED")
    refused(person.login(), 401, "UNAUTHORIZED")
    good(admin.put(f"{BASE}/users/{person.id}", json={"disabled": False}))
    good(person.login())


@row("DELETE /api/v1/users/{id}")
def test_a_deleted_users_tokens_die(admin, person):
    mine = person.caller()
    good(admin.delete(f"{BASE}/users/{person.id}"))
    assert dead(mine)
    refused(refresh(person.server, person.refresh), 401, "UNAUTHORIZED")
    refused(person.login(), 401, "UNAUTHORIZED")
    refused(admin.get(f"{BASE}/users/{person.id}"), 404, "NOT_FOUND")
    server = person.server
    again = Caller(server.http).post(BASE + "/register", {
        "username": person.name, "email": person.email, "password": PASSWORD})
    refused(again, 409, "CONFLICT")  # what was his still bears his name
    relais_ok(server, "user", "add", person.name, "--password-stdin", input=PASSWORD + "\n")
    data = good(person.login(handle=person.name))
    assert data["user"]["id"] != person.id and alive(Caller(server.http, data["token"]))
    assert dead(mine), "the name's old tokens do not come back with it"


@row("DELETE /api/v1/users/me")
def test_a_user_may_go(person):
    mine = person.caller()
    good(mine.delete(BASE + "/users/me"))
    assert dead(mine)
    refused(person.login(), 401, "UNAUTHORIZED")


@row("DELETE /api/v1/users/me", error=401)
def test_nobody_cannot(nobody):
    refused(nobody.delete(BASE + "/users/me"), 401, "UNAUTHORIZED")


# ---- brands ----

def test_an_admin_of_one_brand_sees_no_other(relais, person, brand):
    there = relais.caller("admin", f"chief-{brand}", brand)
    made = good(there.post(BASE + "/users", {"name": "x", "email": f"{name()}@x.org"}), 201)
    listed = there.get(BASE + "/users")
    # himself, made when his token was first seen, and whom he made
    assert made["id"] in [u["id"] for u in good(listed)]
    assert person.id not in [u["id"] for u in good(listed)]
    assert int(listed.headers["X-Total-Count"]) <= 2
    for method in ("GET", "PUT", "DELETE"):
        refused(there.call(method, f"{BASE}/users/{person.id}", json={"name": "y"}
                           if method == "PUT" else None), 404, "NOT_FOUND")
    assert good(there.get(BASE + "/users/search", params={"q": person.name})) == []
    good(there.delete(f"{BASE}/users/{made['id']}"))
