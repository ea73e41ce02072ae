"""The addresses by which raters come to a study, and the proof that a browser is a rater's.

All of it is signed with a key derived from the data folder's secret, so that nobody makes one up. An invitation names a rater by the
number of the pseudonym: no row of the store can be told from it.
"""

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer

from app.settings import Settings
from app.store.study_rows import RaterRow, StudyRow
from app.web.login import secret
from app.web.rating_frame import landing

COOKIE = "rater"
COOKIE_S = 180 * 24 * 3600
PROLIFIC = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
JOIN_CHARACTERS = 16


def invitation(settings: Settings, study: StudyRow, rater: RaterRow) -> str:
    """The path of one rater's own link. It stays the same when it is renewed."""
    return f"{landing(study.code)}/in/{_invitations(settings, study.code).dumps(rater.number)}"


def invited(settings: Settings, code: str, token: str) -> int | None:
    """The number of the rater whom an invitation to this study is for; None for a link that is not ours."""
    try:
        number = _invitations(settings, code).loads(token)
    except BadSignature:
        return None
    return number if isinstance(number, int) else None


def join_code(settings: Settings, code: str) -> str:
    """What the open link of a study carries, so that an invitation does not tell how others come in."""
    digest = hmac.new(_key(settings, "join"), code.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:JOIN_CHARACTERS]


def joins(settings: Settings, code: str, given: str) -> bool:
    """Whether an open link is this study's."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), join_code(settings, code).encode())


def open_link(settings: Settings, study: StudyRow) -> str:
    """The path by which anybody becomes a rater while there are places."""
    return f"{landing(study.code)}?{urlencode({'join': join_code(settings, study.code)})}"


def prolific_link(settings: Settings, study: StudyRow) -> str:
    """The path to be given to Prolific as the study's URL, with the parameters that it fills in."""
    filled = "&".join(f"{name}={{{{%{name}%}}}}" for name in PROLIFIC)
    return f"{open_link(settings, study)}&{filled}"


def cookie(settings: Settings, code: str, secret_of_rater: str) -> str:
    """What a rater's browser keeps for this study."""
    return str(_cookies(settings, code).dumps(secret_of_rater))


def read_cookie(settings: Settings, code: str, given: str) -> str:
    """The secret that `cookie` was made of; empty where it is not ours, or too old."""
    try:
        found = _cookies(settings, code).loads(given, max_age=COOKIE_S) if given else ""
    except BadSignature:
        return ""
    return found if isinstance(found, str) else ""


def _invitations(settings: Settings, code: str) -> URLSafeSerializer:
    return URLSafeSerializer(_key(settings, "invitation"), salt=f"neuronarium.rater.{code}")


def _cookies(settings: Settings, code: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(_key(settings, "rater"), salt=f"neuronarium.rater.{code}")


def _key(settings: Settings, use: str) -> bytes:
    return hashlib.sha256(use.encode() + b"\0" + secret(settings.data_dir)).digest()
