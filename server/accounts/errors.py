"""The refusals of signing in. None says whether an account exists.

Refused
 ├─ SignInFailed       one type for every failure of a sign-in
 ├─ SessionMissing     no session, or it has ended
 ├─ NotAllowed         another role's page, another site's request, or a form without its token
 └─ RateLimited        too many requests, or too many failures; says when to come back
"""

from xinyidai.reasons import Reason

from server.errors import Refused


class SignInFailed(Refused):
    reason = Reason.SIGN_IN_FAILED

    def __init__(self) -> None:
        super().__init__("登录未成功,请重试或换一种方式 / signing in failed; try again or use another way")


class SessionMissing(Refused):
    reason = Reason.SESSION_REQUIRED

    def __init__(self) -> None:
        super().__init__("请先登录 / sign in first")


class NotAllowed(Refused):
    reason = Reason.FORBIDDEN

    def __init__(self, message: str = "不允许 / not allowed to this account or from this page") -> None:
        super().__init__(message)


class RateLimited(Refused):
    reason = Reason.RATE_LIMITED

    def __init__(self, retry_after: int) -> None:
        """`retry_after`: seconds."""
        super().__init__(f"请求过于频繁,{retry_after} 秒后再试 / too many requests; try again in {retry_after} s")
        self.retry_after = retry_after
