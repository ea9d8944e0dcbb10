"""What to do next about an error, Chinese first: for the command line, and for a bank's own screens."""

from types import MappingProxyType
from typing import Final

from xinyidai.catalogue import Text

from bank_sdk.errors import BankSdkError, ServiceError

_WAIT: Final = Text("稍后重试;重复提问不收费", "try again later; asking the same question again is free")
_UPGRADE: Final = Text("升级 SDK 后重试", "upgrade the SDK and try again")
_ASK_ENTERPRISE: Final = Text("请企业在钱包中重新授权", "ask the enterprise for a new authorization from its wallet")
_CLOCK: Final = Text("校准本机时钟后重试", "set this machine's clock right and try again")
_ACCOUNT: Final = Text("请平台核对贵行的证书登记", "have the platform check your bank's certificate")
_REGISTER: Final = Text("重新登记模型(会使用新密钥)", "register the model again (it gets a new key)")
_NOT_A_BANKS: Final = Text(
    "银行不会遇到此情况,请联系平台", "concerns departments and enterprises; if a bank meets it, tell the platform"
)
_LOOK_AGAIN: Final = Text("状态已变化,请重新查询", "it has changed meanwhile; look at the demand and its offers again")
_REQUEST: Final = Text("按提示修正请求", "correct the request as the message says")

ADVICE: Final = MappingProxyType(
    {
        # Reasons of the wire
        "FRAME_MALFORMED": _UPGRADE,
        "FRAME_VERSION": _UPGRADE,
        "FRAME_KIND": _UPGRADE,
        "FRAME_LENGTH": _UPGRADE,
        "FRAME_RESIDUE": _UPGRADE,
        "PARAMETER_SET_UNKNOWN": _UPGRADE,
        "SEED_DEGENERATE": Text("检查本机随机数发生器", "check this machine's random generator, then register again"),
        "SEED_REUSED": _REGISTER,
        "CIPHERTEXT_REFUSED": _REGISTER,
        "MODEL_UNKNOWN": _REGISTER,
        "MODEL_LIMIT": Text(
            "使用已登记的模型,或请数据持有方提高上限", "use a model you registered, or ask the data holder for more"
        ),
        "CATALOGUE_UNKNOWN": Text(
            "按现行目录重建评分卡", "rebuild the scorecard on the catalogue in force, then register it"
        ),
        "DOCUMENT_MALFORMED": _UPGRADE,
        "SIGNATURE_INVALID": _ACCOUNT,
        "CERTIFICATE_INVALID": _ACCOUNT,
        "AUDIENCE_MISMATCH": Text("检查配置中的 enclaves", "check which enclaves your profile names"),
        "DOCUMENT_EXPIRED": _CLOCK,
        "NONCE_SPENT": Text("直接重试即可", "try again; each attempt makes a new request"),
        "USCC_INVALID": Text("核对统一社会信用代码", "check the unified social credit code"),
        "KEY_NOT_REGISTERED": Text("请企业先登记钱包密钥", "ask the enterprise to register its wallet first"),
        "KEY_ALREADY_PINNED": Text("请企业联系登记机关", "the enterprise must turn to its registrar"),
        "AUTHORIZATION_UNKNOWN": _ASK_ENTERPRISE,
        "AUTHORIZATION_EXISTS": Text("该授权已提交,可直接评估", "it was submitted before; go on and assess"),
        "AUTHORIZATION_REVOKED": _ASK_ENTERPRISE,
        "AUTHORIZATION_PAUSED": Text("请企业恢复授权", "ask the enterprise to resume its authorization"),
        "AUTHORIZATION_EXPIRED": _ASK_ENTERPRISE,
        "AUTHORIZATION_NOT_YET_VALID": Text("等待授权生效", "wait until the authorization begins"),
        "AUTHORIZATION_SCOPE": Text(
            "按授权的披露方式和精度提问", "ask within the disclosure and precision that were granted"
        ),
        "AUTHORIZATION_USED_UP": _ASK_ENTERPRISE,
        "PURPOSE_LIMIT": Text(
            "按用途模板的限制提问", "keep to the limits of the purpose, such as days between assessments"
        ),
        "STATEMENT_SUPERSEDED": _ASK_ENTERPRISE,
        "AUTHORIZATION_WIDER": _ASK_ENTERPRISE,
        "PROPOSAL_UNKNOWN": Text("重新向企业提出授权请求", "ask the enterprise for an authorization anew"),
        "PROPOSAL_STATE": Text("该请求已有答复,可重新提出", "the request was answered; make a new one if need be"),
        "PROPOSAL_LIMIT": Text("待答复的请求过多,请等待", "wait until enterprises answer, or the requests lapse"),
        "EVENT_UNKNOWN": Text("重新读取事件后再确认", "read the events again, then acknowledge the last one"),
        "DELEGATION_POWER": _NOT_A_BANKS,
        "DELEGATION_ENDED": _NOT_A_BANKS,
        "DELEGATION_LIMIT": _NOT_A_BANKS,
        "FEATURES_OUTDATED": Text(
            "企业的记录有变更,待数据域更新后重试", "the enterprise's records changed; ask again after the next load"
        ),
        "DEMAND_UNKNOWN": _LOOK_AGAIN,
        "DEMAND_STATE": _LOOK_AGAIN,
        "DEMAND_VERSION": _LOOK_AGAIN,
        "DEMAND_FULL": Text("该需求的名额已满,换下一条", "its places are taken; go on to the next demand"),
        "PRODUCT_UNKNOWN": _LOOK_AGAIN,
        "PRODUCT_VERSION": _LOOK_AGAIN,
        "PRODUCT_CRITERIA": Text("按产品条件报价", "keep the offer within the product's terms"),
        "OFFER_UNKNOWN": _LOOK_AGAIN,
        "OFFER_STATE": _LOOK_AGAIN,
        "OFFER_EXISTS": Text("已报价,无需重复", "the offer was made before; nothing to do"),
        "QUOTA_EXHAUSTED": Text("提高产品额度后再报价", "raise the product's quota, then offer again"),
        "DEMAND_LIMIT": _NOT_A_BANKS,
        "PRODUCT_LIMIT": Text("先撤下不用的产品", "withdraw a product that is no longer sold, then publish again"),
        "LOAN_UNKNOWN": Text("核对贷款编号", "check the loan's id: it is that of the offer that was accepted"),
        "LOAN_STATE": Text("查询贷款当前状态", "list the loan and see what its state allows"),
        "LOAN_TERMS": Text("按已接受的报价登记", "keep to the terms of the accepted offer and to its schedule"),
        "REPORT_CONFLICT": Text("新的报送请换新编号", "give each new report a request id of its own"),
        "SCHEME_UNKNOWN": Text("查询现行风险分担方案", "list the schemes in force"),
        "FILING_UNKNOWN": Text("先备案该笔贷款", "file the loan first"),
        "FILING_STATE": Text("查询备案当前状态", "list the filing and see what its state allows"),
        "FILING_INELIGIBLE": Text("该笔贷款不符合方案条件", "the scheme does not cover this loan; see why"),
        "RISK_CAP": Text("已达方案限额", "a limit of the scheme is reached; ask its operator"),
        "FUSE_PAUSED": Text("方案已熔断,请联系运营方", "new filings are paused; ask the scheme's operator"),
        "FUND_SHORT": Text("资金池余额不足,等待出资", "a fund does not cover its share; wait for a contribution"),
        "CATEGORY_FORBIDDEN": _NOT_A_BANKS,
        "CATEGORY_DESTROYED": _NOT_A_BANKS,
        "DEPARTMENT_NOT_REGISTERED": _NOT_A_BANKS,
        "BATCH_UNKNOWN": _NOT_A_BANKS,
        "BATCH_CONFLICT": _NOT_A_BANKS,
        "BATCH_INCOMPLETE": _NOT_A_BANKS,
        "BATCH_CONTENT": _NOT_A_BANKS,
        "BATCH_SPACE": _NOT_A_BANKS,
        "OFFSET_MISMATCH": _NOT_A_BANKS,
        "FEATURE_UNKNOWN": _NOT_A_BANKS,
        "LINEAGE_UNAVAILABLE": _NOT_A_BANKS,
        "DISPUTE_UNKNOWN": _NOT_A_BANKS,
        "DISPUTE_LIMIT": _NOT_A_BANKS,
        "LOG_UNSEALED": _WAIT,
        "ENTRY_UNKNOWN": _NOT_A_BANKS,
        "ENTRY_PENDING": _NOT_A_BANKS,
        "NOTICE_MISMATCH": _ASK_ENTERPRISE,
        "CATEGORY_UNKNOWN": Text("核对信息类别", "check the category codes against the catalogue"),
        "BUDGET_BANK_EXHAUSTED": Text(
            "请企业提高对贵行的预算,或使用更粗的精度",
            "ask the enterprise to raise your budget, or take a coarser precision",
        ),
        "BUDGET_TOTAL_EXHAUSTED": Text(
            "请企业提高总预算,或等待窗口期滚动",
            "ask the enterprise to raise its total budget, or wait for the window to move",
        ),
        "SUBSCRIPTION_UNKNOWN": Text("先订阅白名单", "subscribe first: xyd-bank white-list --subscribe"),
        "WHITE_LIST_NOT_READY": Text("名单制作中,稍后重试", "the first list is being made; try again in a minute"),
        "WATCH_UNKNOWN": Text("先登记贷后监测", "start the watch first: xyd-bank alerts --watch"),
        "BANK_NOT_REGISTERED": _ACCOUNT,
        "SIGN_IN_FAILED": _NOT_A_BANKS,
        "SESSION_REQUIRED": _NOT_A_BANKS,
        "FORBIDDEN": _NOT_A_BANKS,
        "RATE_LIMITED": _WAIT,
        "REQUEST_INVALID": _REQUEST,
        "REQUEST_TOO_LARGE": Text("减少单次请求的企业数", "ask for fewer enterprises in one request"),
        "ENCLAVE_UNAVAILABLE": _WAIT,
        "OVERLOADED": _WAIT,
        "INTERNAL": Text("将错误信息告知平台", "tell the platform, with the message and the time"),
        # Classes of errors; the nearest one in the family applies
        "BankSdkError": Text("查看错误信息", "read the message"),
        "InputError": Text("修正输入后重试;尚未发送任何内容", "correct the input and try again; nothing was sent"),
        "CredentialsError": Text(
            "检查证书、私钥和根证书文件", "check the certificate, key and root files of the profile"
        ),
        "ScorecardError": Text(
            "按提示修正评分卡,或在目录单元上重新训练",
            "mend the scorecard as the message says, or refit it with train_on_codes",
        ),
        "EdgeNotOnGrid": Text(
            "把分箱边界移到所示的最近边界,或用 train_on_codes 重新训练",
            "move the edge to one of those shown, or refit with train_on_codes",
        ),
        "PointsOverflow": Text("用更小的 PDO 缩小分值", "scale the points down, for example with a smaller PDO"),
        "KeyStoreError": Text(
            "检查口令和密钥库文件,或从备份恢复", "check passphrase and files of the key store, or restore a backup"
        ),
        "ServiceError": Text("将错误信息告知平台", "tell the platform, with the message and the time"),
        "Unavailable": _WAIT,
        "VerificationError": Text(
            "答复未通过核验,不要使用;请保留现场并告知平台",
            "do not use the answer; keep the message and tell the platform",
        ),
        "AnswerNotFresh": Text("不要求 fresh 即可使用先前的答复", "ask without fresh if the earlier answer will do"),
        "ListExpired": Text("等待新名单;勿据旧名单联系企业", "wait for the next list; do not use the old one"),
        "ListRolledBack": Text(
            "勿使用旧名单,并告知平台", "do not use the older list; tell the platform, which should not have sent it"
        ),
        "EventGap": Text("从缺失的序号起重新读取事件", "list the events again from the number that is missing"),
        "AnswerOutOfRange": Text(
            "视为没有答复;检查模型与密钥是否对应", "treat it as no answer; check that key and model belong together"
        ),
    }
)
"""By reason of the wire or by name of the error's class."""


def next_step(error: BankSdkError) -> Text:
    """The next step for this error: its reason's, else that of the nearest class in its family."""
    if isinstance(error, ServiceError) and error.reason is not None and error.reason in ADVICE:
        return ADVICE[error.reason]
    return next(ADVICE[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in ADVICE)
