from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.core.errors import ConfigurationInvalid
from app.settings import (
    LogFormat,
    RoomAccess,
    Settings,
    load_settings,
    unknown_variables,
)
from app.settings.sources import environ

TOKEN = "a-token-of-enough-characters"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(environ):
        if variable.startswith(("STATEROOM_", "DATABASE_URL")):
            monkeypatch.delenv(variable)


def refusal(**given: object) -> ConfigurationInvalid:
    with pytest.raises(ConfigurationInvalid) as caught:
        load_settings(**given)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


def test_the_defaults_serve_a_room_server_on_loopback_with_an_embedded_database() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.database_url is None
    assert settings.data_dir == Path(".stateroom")
    assert settings.effective_room_access() is RoomAccess.OPEN
    assert [(r.pattern, r.namespace) for r in settings.routes] == [("**", "tinybase")]


def test_what_the_caller_gives_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEROOM_PORT", "9000")
    monkeypatch.setenv("STATEROOM_HOST", "::1")
    settings = load_settings(port=9100, host=None)
    assert (settings.port, settings.host) == (9100, "::1")


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.port = 1


@pytest.mark.parametrize("variable", ["DATABASE_URL", "STATEROOM_DATABASE_URL"])
def test_the_database_url_comes_from_either_variable_and_is_never_shown(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "postgresql://u:hunter2@db/x")
    settings = load_settings()
    assert settings.database_url == SecretStr("postgresql://u:hunter2@db/x")
    assert "hunter2" not in repr(settings)


def test_our_own_database_variable_wins_over_the_plain_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://plain/x")
    monkeypatch.setenv("STATEROOM_DATABASE_URL", "postgresql://own/x")
    assert load_settings().database_url == SecretStr("postgresql://own/x")


def test_a_secret_may_come_from_a_named_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    monkeypatch.setenv("STATEROOM_ROOM_TOKEN_FILE", str(tmp_path / "token"))
    assert load_settings().room_token == SecretStr(TOKEN)


@pytest.mark.parametrize("name", ["STATEROOM_DATABASE_URL", "database_url"])
def test_secrets_may_come_from_a_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("postgresql://filed/x\n")
    monkeypatch.setenv("STATEROOM_SECRETS_DIR", str(tmp_path))
    assert load_settings().database_url == SecretStr("postgresql://filed/x")


def test_a_secret_that_is_set_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEROOM_ROOM_TOKEN", TOKEN)
    monkeypatch.setenv("STATEROOM_ROOM_TOKEN_FILE", str(tmp_path / "token"))
    assert "both it and STATEROOM_ROOM_TOKEN_FILE are set" in str(refusal())


def test_a_secret_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATEROOM_ROOM_TOKEN_FILE", str(tmp_path / "missing"))
    assert "STATEROOM_ROOM_TOKEN_FILE" in str(refusal())


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("STATEROOM_PORT", "seventy", "STATEROOM_PORT: input should be a valid integer"),
        ("STATEROOM_PORT", "70000", "STATEROOM_PORT: input should be less than or equal to 65535"),
        ("STATEROOM_WORKERS", "0", "STATEROOM_WORKERS"),
        ("STATEROOM_IDLE_SECONDS", "nan", "STATEROOM_IDLE_SECONDS"),
        ("STATEROOM_IDLE_SECONDS", "inf", "STATEROOM_IDLE_SECONDS"),
        ("STATEROOM_OUTBOX_BYTES", "0", "STATEROOM_OUTBOX_BYTES"),
        ("STATEROOM_ROOM_ACCESS", "everybody", "STATEROOM_ROOM_ACCESS"),
        ("STATEROOM_ROOM_ACCESS", "token", "STATEROOM_ROOM_TOKEN: it is needed"),
        ("STATEROOM_RENEW_SECONDS", "2", "at most half of STATEROOM_LEASE_SECONDS"),
        ("STATEROOM_RESERVED_SEGMENTS", "admin,a/b", "'a/b' is not one path segment"),
        ("STATEROOM_NAMESPACES", "counter", "'counter' is not of the form name=module:Class"),
        ("STATEROOM_NAMESPACES", "Counter=a:B", "is not of the form"),
        ("STATEROOM_NAMESPACES", "c=a:B?x=1&x=2", "an option of 'c' stands twice"),
        ("STATEROOM_NAMESPACES", "c=a:B?x", "is not of the form option=value"),
        ("STATEROOM_NAMESPACES", "c=a:B,c=a:C", "a namespace stands twice"),
        ("STATEROOM_ROUTES", "cursors", "'cursors' is not of the form pattern=namespace"),
        ("STATEROOM_NAME_BYTES", "2000", "STATEROOM_NAME_BYTES"),
    ],
)
def test_a_bad_value_is_told_in_one_line_that_names_the_setting(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    text = str(refusal())
    assert words in text
    assert text.startswith("STATEROOM_")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("DATABASE_URL", "mysql://u:hunter2@db/x"), ("STATEROOM_ROOM_TOKEN", "hunter2")],
)
def test_a_bad_secret_is_named_but_not_shown(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    error = refusal()
    assert variable in str(error)
    assert "hunter2" not in f"{error} {error.remedy} {error.__cause__}"


def test_several_bad_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATEROOM_PORT", "x")
    monkeypatch.setenv("STATEROOM_MAX_ROOMS", "x")
    assert str(refusal()).endswith("(and 1 more)")


def test_a_port_variable_made_by_kubernetes_gets_its_own_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATEROOM_PORT", "tcp://10.0.0.1:8000")
    assert "enableServiceLinks" in refusal().remedy


def test_an_unknown_setting_in_code_is_refused() -> None:
    assert "there is no such setting" in str(refusal(prot=1))


def test_unknown_variables_are_found_with_what_was_probably_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATEROOM_NAMESPACE", "c=a:B")
    monkeypatch.setenv("STATEROOM_ROOM_TOKEN_FILE", "x")
    monkeypatch.setenv("STATEROOM_PORT_8000_TCP", "x")
    assert unknown_variables() == {"STATEROOM_NAMESPACE": "STATEROOM_NAMESPACES"}


def test_namespaces_carry_their_class_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "STATEROOM_NAMESPACES",
        "presence=stateroom.tinybase:TinyBaseRoom?durability=none&sync=relay,\n"
        " counter=myproject.counter:Counter",
    )
    presence, counter = load_settings().namespaces
    assert (presence.name, presence.target) == ("presence", "stateroom.tinybase:TinyBaseRoom")
    assert presence.options == {"durability": "none", "sync": "relay"}
    assert (counter.name, counter.target, counter.options) == (
        "counter",
        "myproject.counter:Counter",
        {},
    )


def test_routes_keep_their_order_and_patterns_may_hold_equals_signs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STATEROOM_ROUTES", "/cursors/**=presence, a=b/*=tinybase,**=tinybase")
    assert [(route.pattern, route.namespace) for route in load_settings().routes] == [
        ("cursors/**", "presence"),
        ("a=b/*", "tinybase"),
        ("**", "tinybase"),
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "rooms.example.org"])
def test_a_public_address_needs_a_decision_on_access(host: str) -> None:
    settings = load_settings(host=host)
    with pytest.raises(ConfigurationInvalid, match="STATEROOM_ROOM_ACCESS") as caught:
        settings.effective_room_access()
    assert "STATEROOM_ROOM_TOKEN" in caught.value.remedy
    assert load_settings(host=host, room_access="open").effective_room_access() is RoomAccess.OPEN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_are_open_unless_a_token_is_asked_for(host: str) -> None:
    assert load_settings(host=host).effective_room_access() is RoomAccess.OPEN
    settings = load_settings(host=host, room_access="token", room_token=TOKEN)
    assert settings.effective_room_access() is RoomAccess.TOKEN


def test_a_dot_env_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("STATEROOM_PORT=9999\n")
    monkeypatch.chdir(tmp_path)
    assert load_settings().port == 8000


def test_the_log_format_is_left_to_the_terminal_unless_told() -> None:
    assert load_settings().log_format is None
    assert load_settings(log_format="json").log_format is LogFormat.JSON


def test_every_setting_has_a_description_and_a_unit_in_its_name_where_it_has_one() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert not name.endswith(("_timeout", "_size", "_interval", "_limit")), name


def test_the_last_worker_needs_a_port_for_its_links_too() -> None:
    assert load_settings(internal_port=65_535, workers=1).internal_port == 65_535
    with pytest.raises(ConfigurationInvalid, match="STATEROOM_INTERNAL_PORT"):
        load_settings(internal_port=65_535, workers=2)


@pytest.mark.parametrize("wrong", ["page.example", "https://page.example/", "https://*.example"])
def test_an_origin_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="CORS_ORIGINS"):
        load_settings(cors_origins=wrong)


def test_origins_stand_behind_one_another() -> None:
    assert load_settings(cors_origins="https://a.example, http://b:1").cors_origins == (
        "https://a.example",
        "http://b:1",
    )
