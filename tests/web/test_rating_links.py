"""Links of raters: each opens its own study alone, and nobody makes one up."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.settings import Settings
from app.store.study_rows import RaterRow, RaterSource, RaterState, StudyRow, StudyState
from app.web import rating_links as links
from tests import study_world as w

NOW = datetime.now(UTC)


def study(code: str = "Zk3-code") -> StudyRow:
    return StudyRow(
        81234, "n", w.definition(), "h", StudyState.OPEN, 1, None, code, "r", (), "a", "o", NOW, NOW, None, None, ""
    )  # fmt: skip


def rater(number: int = 7) -> RaterRow:
    return RaterRow(
        91234, 81234, number, "secret", RaterSource.INVITATION, RaterState.INVITED, False, None, "", 0, None, NOW, None,
        NOW, None,
    )  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def token(settings: Settings) -> str:
    return links.invitation(settings, study(), rater()).rpartition("/")[2]


def test_an_invitation_comes_back_as_the_rater_that_it_is_for(settings: Settings) -> None:
    assert links.invitation(settings, study(), rater()).startswith("/rate/Zk3-code/in/")
    assert links.invited(settings, "Zk3-code", token(settings)) == 7


def test_it_is_good_for_one_study_and_one_server(settings: Settings, tmp_path: Path) -> None:
    made = token(settings)
    assert links.invited(settings, "other", made) is None
    assert links.invited(Settings(data_dir=tmp_path / "elsewhere"), "Zk3-code", made) is None
    for forged in (
        "",
        "x",
        made[:-1],
        "OA" + made[made.index(".") :],
        links.cookie(settings, "Zk3-code", "s"),
    ):
        assert links.invited(settings, "Zk3-code", forged) is None


def test_no_row_of_the_store_can_be_told_from_a_link(settings: Settings) -> None:
    payload = token(settings).partition(".")[0]
    assert base64.urlsafe_b64decode(payload + "==") == b"7"
    for path in (links.open_link(settings, study()), links.prolific_link(settings, study())):
        assert "81234" not in path


def test_the_open_link_carries_a_code_of_its_own(settings: Settings) -> None:
    path = links.open_link(settings, study())
    assert path == f"/rate/Zk3-code?join={links.join_code(settings, 'Zk3-code')}"
    assert links.joins(settings, "Zk3-code", path.partition("=")[2])
    assert not links.joins(settings, "other", path.partition("=")[2])
    assert not links.joins(settings, "Zk3-code", "") and not links.joins(settings, "Zk3-code", "\ud800ö")
    assert links.prolific_link(settings, study()) == (
        path + "&PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
    )


def test_a_cookie_is_good_for_one_study(settings: Settings) -> None:
    made = links.cookie(settings, "Zk3-code", "s3cret")
    assert links.read_cookie(settings, "Zk3-code", made) == "s3cret"
    assert links.read_cookie(settings, "other", made) == ""
    for forged in ("", "x.y.z", made[:-2], made + "a"):
        assert links.read_cookie(settings, "Zk3-code", forged) == ""
