"""Settings from file and environment: what wins, and that a wrong one is named in one line."""

from pathlib import Path

import pytest

from app.config import Settings, environment_name, load_settings, setting_fields
from app.errors import ConfigError
from app.services.settings import list_settings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A settings file."""
    return tmp_path / "config.yaml"


def test_defaults_stand_where_nothing_is_said(config: Path) -> None:
    """An empty file is one too."""
    config.write_text("")
    assert load_settings(config).detector.model == "builtin:football"
    assert load_settings(config).review.lease_s == 120


def test_a_model_may_be_a_file(config: Path) -> None:
    """Weights as their authors publish them; the setting keeps the whole path."""
    weights = config.with_name("model.pt")
    weights.write_bytes(b"")
    config.write_text(f"detector: {{model: {weights}}}\n")
    assert load_settings(config).detector.model == str(weights)


def test_the_environment_wins_over_the_file_and_options_over_both(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key by key: what the environment does not name stays the file's."""
    config.write_text("detector: {threshold: 0.3, floor: 0.1}\nserver: {port: 9000}\n")
    monkeypatch.setenv("TOUCHLINE_DETECTOR__THRESHOLD", "0.7")
    monkeypatch.setenv("TOUCHLINE_DETECTOR__TARGET_CLASSES", '["sports ball", "person"]')
    monkeypatch.setenv("TOUCHLINE_DATA_DIR", "/somewhere")
    settings = load_settings(config, server={"port": 9100})
    assert (settings.detector.threshold, settings.detector.floor, settings.server.port) == (0.7, 0.1, 9100)
    assert settings.detector.target_classes == ("sports ball", "person")
    assert settings.url == "sqlite:////somewhere/touchline.db"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour: red\n", "colour: unknown key; docs/settings.md lists the keys"),
        ("detector: {modle: x}\n", r"detector\.modle: unknown key"),
        ("server: {port: many}\n", r"server\.port: .*valid integer.*got 'many'"),
        ("server: {port: 0}\n", r"server\.port: .*greater than or equal to 1"),
        ("detector: {threshold: 2}\n", r"detector\.threshold: .*less than or equal to 1"),
        ("detector: {target_classes: []}\n", r"detector\.target_classes: "),
        ("detector: {device: tpu}\n", r"detector\.device: .*'auto', 'cpu', 'cuda' or 'gpu'"),
        ("detector: {model: ./nothing}\n", r"detector\.model: the folder nothing is missing: create it"),
        ("detector: {model: dfine_s.pth}\n", r"detector\.model: the file dfine_s\.pth is missing"),
        ("datasets: {allowed_roots: [/no/such/folder]}\n", r"datasets\.allowed_roots\.0: the folder /no/such/folder"),
        ("datasets: {allowed_roots: ['~nobody-of-this-name']}\n", r"datasets\.allowed_roots\.0: "),
        ("- a\n- b\n", "expected keys and values, found list"),
        ("detector: {\n", "not valid YAML"),
        ("server: 5\n", "server: "),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(config: Path, text: str, said: str) -> None:
    """Key, what is wrong, and what was there."""
    config.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        load_settings(config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TOUCHLINE_COLOUR", "red", "TOUCHLINE_COLOUR: unknown setting"),
        ("TOUCHLINE_DETECTOR__MODLE", "x", "TOUCHLINE_DETECTOR__MODLE: unknown setting"),
        ("TOUCHLINE_SERVER__PORT", "many", r"server\.port: "),
        ("TOUCHLINE_DETECTOR__TARGET_CLASSES", "ball", "target_classes|detector"),
    ],
)
def test_a_wrong_variable_is_named_in_one_line(
    config: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """Also one that no setting has: a misspelt name must not pass for set."""
    config.write_text("")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=said) as caught:
        load_settings(config)
    assert "\n" not in str(caught.value)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    """The default one may be missing."""
    with pytest.raises(ConfigError, match=r"--config .*nothing\.yaml: no such file"):
        load_settings(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("key", [key for key, _ in setting_fields()])
def test_every_key_can_be_set_by_its_variable(key: str) -> None:
    """And is listed with its value, default and description."""
    row = next(row for row in list_settings(Settings()) if row.key == key)
    assert (row.env, row.env.isupper()) == (environment_name(key), True)
    assert row.description.endswith(".")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://a:b@c/d?sslmode=require", "postgresql://a:***@c/d?sslmode=require"),
        ("postgresql://a:b?c@d/e", "postgresql://a:***@d/e"),
        ("postgresql:///d?host=/run&password=b", "postgresql:///d?host=/run&password=***"),
        ("postgresql://a@c/d?sslpassword=b&x=1", "postgresql://a:***@c/d?sslpassword=***&x=1"),
        ("sqlite:////var/a.db", "sqlite:////var/a.db"),
    ],
)
def test_a_password_of_the_database_is_not_shown(tmp_path: Path, url: str, shown: str) -> None:
    """Wherever in the URL it stands: a reviewer can read the page of settings."""
    rows = {row.key: row.value for row in list_settings(Settings(data_dir=tmp_path, database_url=url))}
    assert rows["database_url"] == shown


def test_changed_settings_are_marked(tmp_path: Path) -> None:
    """The page shows which differ from their default."""
    rows = {row.key: row for row in list_settings(Settings(data_dir=tmp_path, database_url="postgresql://a:b@c/d"))}
    assert (rows["data_dir"].changed, rows["server.port"].changed) == (True, False)
    assert rows["database_url"].value == "postgresql://a:***@c/d"
