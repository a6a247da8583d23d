"""Settings of every process. What differs between places comes from the environment; docs/operations/running.md
lists the variables. State that Modelyard makes itself lies under one folder, `MODELYARD_HOME`.
"""

import os
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from whitenoise.compress import Compressor

from modelyard import embedded
from modelyard.settings import environment as env
from modelyard.settings import object_stores
from modelyard.settings.celery_beat import CELERY_BEAT_SCHEDULE  # noqa: F401
from modelyard.settings.unfold import UNFOLD  # noqa: F401

BASE_DIR = Path(__file__).resolve().parents[3]
HOME = Path(env.text("MODELYARD_HOME", str(BASE_DIR / "var"))).resolve()
CACHE_DIR = Path(
    env.text("MODELYARD_CACHE", str(Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelyard"))
)
TRAINERS_DIR = Path(env.text("MODELYARD_TRAINERS", str(BASE_DIR / "trainers")))
NODE_NAME = env.text("MODELYARD_NODE", os.uname().nodename)

DEBUG = env.boolean("DEBUG", False)
SECRET_KEY = embedded.secret("SECRET_KEY", HOME)
AUDIT_KEY = embedded.secret("AUDIT_KEY", HOME)
AUDIT_SIGNING_KEY = embedded.secret("AUDIT_SIGNING_KEY", HOME)
API_KEY_SECRET = embedded.secret("API_KEY_SECRET", HOME)
SECRETS_KEY = embedded.secret("SECRETS_KEY", HOME)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
PUBLIC_URL = env.text("PUBLIC_URL", "")

INSTALLED_APPS = [
    "modelyard",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.guardian",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "channels",
    "csp",
    "django_celery_beat",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "guardian",
    "rest_framework",
    "apps.core",
    "apps.accounts",
    "apps.organizations",
    "apps.departures",
    "apps.singlesignon",
    "apps.invitations",
    "apps.projects",
    "apps.shares",
    "apps.apikeys",
    "apps.audit",
    "apps.resources",
    "apps.trainers",
    "apps.jobs",
    "apps.metrics",
    "apps.datasets",
    "apps.experiments",
    "apps.training",
    "apps.evaluation",
]
# An app joins the list with its first capability: a folder that is not there yet is not an app.
INSTALLED_APPS = [
    app
    for app in INSTALLED_APPS
    if not app.startswith("apps.") or (BASE_DIR / app.replace(".", "/") / "apps.py").exists()
]

MIDDLEWARE = [
    "apps.core.api.middleware.ReleaseConnectionMiddleware",
    "apps.core.api.middleware.RequestContextMiddleware",
    "apps.apikeys.middleware.ApiTrafficMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "modelyard.csp.RelaxedPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "modelyard.profile.PreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.LastSeenMiddleware",
    "apps.accounts.middleware.OwnProofMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.identity.middleware.ActorMiddleware",
    "apps.core.api.middleware.DomainErrorMiddleware",
    "apps.apikeys.middleware.IdempotencyMiddleware",
    "modelyard.errors.MethodPageMiddleware",
]

ROOT_URLCONF = "modelyard.urls"
WSGI_APPLICATION = "modelyard.wsgi.application"
ASGI_APPLICATION = "modelyard.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.core.identity.context_processors.portal",
                "modelyard.profile.organizations",
                "apps.departures.context_processors.closing",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# PostgreSQL: the embedded one under HOME unless a URL is given.
DATABASES = {"default": env.database(env.text("DATABASE_URL", "") or embedded.database_url(HOME))}
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Threads of the web and the workers take connections from one small pool per process.
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
    "min_size": 0,
    "max_size": env.integer("DATABASE_POOL_SIZE", 12, minimum=2),
    "timeout": 10,
    "max_idle": 60,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", "")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": env.redis(REDIS_URL, db=2) if REDIS_URL else embedded.redis_url(HOME, db=2),
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [env.redis(REDIS_URL, db=1) if REDIS_URL else embedded.redis_url(HOME, db=1)]},
    }
}

# Celery carries hints; PostgreSQL owns every state.
CELERY_BROKER_URL = env.broker(REDIS_URL) if REDIS_URL else embedded.broker_url(HOME)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "socket_keepalive": True,
    # Without these every hint waits ten seconds for a broker that is away; a request must not, and beat repeats it.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5}
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5

# Objects: a local folder unless an S3 bucket is named; results lie there too unless they are to lie apart.
STORAGE = object_stores.datasets(HOME)
RESULTS_STORAGE = object_stores.results(STORAGE)
DIRECT_UPLOADS = object_stores.direct_uploads()
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(HOME / "staticfiles")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": HOME / "media"}},
    "staticfiles": {"BACKEND": "modelyard.static.StaticStorage"},
}
WHITENOISE_MAX_AGE = 3600
# Pages name every file by its hash. Source maps, most of all bytes, are for developers' tools alone: compressing them
# made the first start seconds longer.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "apps.accounts.backends.AccountBackend",
    "apps.core.policy.backends.PolicyBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = reverse_lazy("account_login")
ACCOUNT_ADAPTER = "apps.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "signup": "apps.organizations.forms.SignupForm",
    "reset_password": "apps.organizations.forms.ForgottenForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Modelyard] "
SOCIALACCOUNT_ADAPTER = "apps.singlesignon.adapter.ProviderAdapter"
MFA_ADAPTER = "apps.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False
GUARDIAN_RAISE_403 = False
# Shares are terms of the policy's conditions; guardian's own backend would answer beside it.
SILENCED_SYSTEM_CHECKS = ["guardian.W001"]
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
HTTPS = env.boolean("HTTPS", PUBLIC_URL.startswith("https://"))
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.boolean("BEHIND_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# Nothing inline, nothing from elsewhere. The admin's and Swagger's pages get their own policy (modelyard.csp).
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/", "/api/docs/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# Mail: to a folder that can be read until a server is named.
EMAIL_HOST = env.text("EMAIL_HOST", "")
EMAIL_PORT = env.integer("EMAIL_PORT", 587)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", bool(EMAIL_HOST))
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend" if EMAIL_HOST else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = HOME / "mail"
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Modelyard <modelyard@localhost>")

# Requests to addresses that people name (apps.core.outbound).
OUTBOUND_PRIVATE_ORIGINS = env.origins("OUTBOUND_PRIVATE_ORIGINS")
OUTBOUND_CA_FILE = env.text("OUTBOUND_CA_FILE", "")

# Languages
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "Asia/Seoul")

# REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.core.api.authentication.AccessTokenAuthentication",
        "apps.core.api.authentication.PortalSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "apps.core.api.permissions.SecondFactorSetUp",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "apps.core.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "apps.core.api.schema.ModelyardSchema",
    "EXCEPTION_HANDLER": "apps.core.api.problems.exception_handler",
    "PAGE_SIZE": 50,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    # Callers are told apart by their own address, never by the X-Forwarded-For that they send: the web server has put
    # the header of a proxy that it trusts (FORWARDED_ALLOW_IPS) into the address already.
    "NUM_PROXIES": 0,
    "DEFAULT_THROTTLE_CLASSES": ["apps.apikeys.throttles.ActorThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "sign_in": env.text("RATE_SIGN_IN", "10/min"),
        "invitation_link": env.text("RATE_INVITATION_LINK", "30/min"),
    },
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
# Attempts to begin a single sign-on, by address.
RATE_SINGLE_SIGN_ON = env.text("RATE_SINGLE_SIGN_ON", "20/m/ip")
# Requests to the REST API in a minute. High enough for a folder of images, sent file by file.
RATE_LIMITS = {
    "key": env.integer("RATE_KEY", 3000, minimum=1),
    "user": env.integer("RATE_USER", 12000, minimum=1),
    "organization": env.integer("RATE_ORGANIZATION", 60000, minimum=1),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Modelyard",
    "DESCRIPTION": (
        "Datasets, training, evaluation and monitoring of models. Errors are `application/problem+json`.\n\n"
        "Sign in with an access token or an API key: `Authorization: Bearer …`. `RateLimit-*` headers tell the limits; "
        "429 comes with `Retry-After`. A POST that carries `Idempotency-Key` (1 to 255 characters) runs once: repeated "
        "within 24 hours it gets the first answer, with `Idempotency-Replayed: true`; 409 while the first one runs, 422 "
        "for another request under the same key."
    ),
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {
        "ApiKeyStateEnum": "apps.apikeys.models.KeyState",
        "AdmissionEnum": "apps.singlesignon.models.Admission",
        "GrantedRoleEnum": "apps.singlesignon.models.GRANTED_ROLES",
        "OrganizationRoleEnum": "apps.core.identity.roles.Role",
        "ProjectRoleEnum": "apps.projects.models.ProjectRole",
        "RunStatusEnum": "apps.experiments.models.RunStatus",
        "MirrorStateEnum": "apps.experiments.models.MirrorState",
        "JobStateEnum": "apps.jobs.states.JobState",
        "NodeStateEnum": "apps.resources.models.NodeState",
        "InvitationStateEnum": "apps.invitations.models.InvitationState",
        "MembershipStateEnum": "apps.organizations.models.MembershipState",
        "OrganizationExportStateEnum": "apps.departures.models.ExportState",
        "OrganizationDeletionStateEnum": "apps.departures.models.DeletionState",
        "DatasetExportStateEnum": "apps.datasets.models.ExportState",
        "ExportFormatEnum": "apps.datasets.models.ExportFormat",
        "ForeignFormatEnum": "apps.datasets.foreign.CHOICES",
        "ImportSourceEnum": "apps.datasets.models.IMPORT_SOURCES",
        "UploadSourceEnum": "apps.datasets.models.UploadSource",
        "UploadStateEnum": "apps.datasets.models.UploadState",
        "ShareLevelEnum": "apps.shares.models.Level",
        "CheckpointKindEnum": "apps.training.models.CheckpointKind",
    },
    "PREPROCESSING_HOOKS": ["apps.core.api.schema.public_paths_only"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.api.schema.add_problem_responses",
    ],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}
ACCESS_TOKEN_LIFETIME_SECONDS = env.integer("ACCESS_TOKEN_LIFETIME_SECONDS", 900, minimum=60)
INVITATION_LIFETIME_DAYS = env.integer("INVITATION_LIFETIME_DAYS", 7, minimum=1)
# What leaves: how long an organization waits for its deletion, and how long written exports are kept.
ORGANIZATION_DELETION_GRACE_DAYS = env.integer("ORGANIZATION_DELETION_GRACE_DAYS", 14, minimum=1)
ORGANIZATION_EXPORT_DAYS = env.integer("ORGANIZATION_EXPORT_DAYS", 7, minimum=1)
DATASET_EXPORT_DAYS = env.integer("DATASET_EXPORT_DAYS", 7, minimum=1)
# What lies in the trash is deleted for good after so many days; 0: never by itself.
TRASH_RETENTION_DAYS = env.integer("TRASH_RETENTION_DAYS", 30, minimum=0)
# How long an object of the store is kept that no row names any more.
STORAGE_GRACE_HOURS = env.integer("STORAGE_GRACE_HOURS", 24, minimum=1)
# Formats that datumaro reads, in an environment of its own that the first of them builds.
DATASET_DATUMARO = env.boolean("DATASET_DATUMARO", False)
REFRESH_TOKEN_LIFETIME_SECONDS = env.integer("REFRESH_TOKEN_LIFETIME_SECONDS", 14 * 86400, minimum=300)
WS_TICKET_LIFETIME_SECONDS = 30
# Open at once, for each person and for each API key.
SOCKETS_PER_PERSON = env.integer("SOCKETS_PER_PERSON", 50, minimum=1)

METRICS_TOKEN = env.text("METRICS_TOKEN", "")

# A message that could not be delivered (mail, MLflow, ...) is tried again after 2, 4, 8, ... seconds, and never later.
OUTBOX_LONGEST_PAUSE_SECONDS = env.integer("OUTBOX_LONGEST_PAUSE_SECONDS", 600, minimum=1)

# Jobs
JOBS: dict[str, Any] = {
    "lease_seconds": env.integer("JOBS_LEASE_SECONDS", 15, minimum=1),
    "heartbeat_seconds": env.integer("JOBS_HEARTBEAT_SECONDS", 3, minimum=1),
    "grace_seconds": env.integer("JOBS_GRACE_SECONDS", 120, minimum=1),
    "takeover_after_seconds": env.integer("JOBS_TAKEOVER_AFTER_SECONDS", 600, minimum=1),
    "hung_after_seconds": env.integer("JOBS_HUNG_AFTER_SECONDS", 120, minimum=5),
    "max_restarts": env.integer("JOBS_MAX_RESTARTS", 5, minimum=0),
    "log_cap_bytes": env.integer("JOBS_LOG_CAP_BYTES", 50 * 1024 * 1024, minimum=65536),
    # How long a node keeps what an attempt that is over has worked on, and its logs and journals.
    "files_keep_hours": env.integer("JOBS_FILES_KEEP_HOURS", 24, minimum=0),
    "logs_keep_days": env.integer("JOBS_LOGS_KEEP_DAYS", 30, minimum=1),
    "portal_file": HOME / "run" / "portal.url",
    "attempts_dir": HOME / "attempts",
}
MLFLOW: dict[str, Any] = {
    "url_file": HOME / "run" / "mlflow.url",
    "url": env.text("MLFLOW_TRACKING_URL", ""),
}

LOG_LEVEL = env.one_of("LOG_LEVEL", "info", ("debug", "info", "warning", "error", "critical")).upper()
# A line for each task that comes, ends, or is due: several a second, even while nothing happens.
ROUTINE_LOG_LEVEL = "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "modelyard.logs.LineFormatter",
            "format": "{asctime} {levelname} {name} {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # It tells, at its finest, the signatures of addresses that are given to others.
        "botocore": {"level": "INFO"},
        "httpx": {"level": "WARNING"},
        "celery.worker.strategy": {"level": ROUTINE_LOG_LEVEL},
        "celery.app.trace": {"level": ROUTINE_LOG_LEVEL},
        "celery.beat": {"level": ROUTINE_LOG_LEVEL},
        "django.security.DisallowedHost": {"level": "ERROR"},
    },
}
