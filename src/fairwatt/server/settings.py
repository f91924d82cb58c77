"""Django's settings, the same for every process; FAIRWATT_DB_ROLE says who this process is.

One Django app holds all tables (`fairwatt.store`); the faces are URL confs and template folders.
"""

import os
import secrets
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import urlsplit

from django.utils.csp import CSP

from fairwatt.server.clock import clock_for
from fairwatt.server.config import OWNER_ROLE, Config, ConfigError, DatabaseRole
from fairwatt.server.keys import SANDBOX_PROVIDER

PACKAGE = Path(__file__).resolve().parent.parent
CONFIG = Config.load()
ORIGIN = CONFIG.web_origin()
HTTPS = ORIGIN.startswith("https://")

# Handed down to the faces, which import nothing from here: `settings.FAIRWATT_CLOCK.now_us()`.
FAIRWATT_CLOCK = clock_for(CONFIG)
FAIRWATT_PAYSIM_URL = CONFIG.paysim_origin()
FAIRWATT_SANDBOX_KEY = CONFIG.keys / f"{SANDBOX_PROVIDER}.pub.pem"
# What callbacks of merchants are checked with, and what their secrets are sealed to; the web opens no acting key.
FAIRWATT_KEYS = CONFIG.keys

DEBUG = os.environ.get("FAIRWATT_DEBUG") == "1"
# Commands that need no sessions (checks, type checking) run before the first start has made the secret.
SECRET_KEY = CONFIG.secrets.read("django") or secrets.token_urlsafe(32)
ALLOWED_HOSTS = sorted({"127.0.0.1", "localhost", "[::1]", urlsplit(ORIGIN).hostname or "localhost"})
CSRF_TRUSTED_ORIGINS = [ORIGIN]

ROOT_URLCONF = "fairwatt.server.urls"
ASGI_APPLICATION = "fairwatt.server.asgi.application"
AUTH_USER_MODEL = "store.User"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
    "fairwatt.store",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "fairwatt.web.guard.WriteGuard",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"fairwatt": "fairwatt.web.design.tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- database: the role decides what PostgreSQL lets this process do ----------------------------------------


def _role() -> DatabaseRole:
    named = os.environ.get("FAIRWATT_DB_ROLE", "web")
    if named not in get_args(DatabaseRole.__value__):
        raise ConfigError(
            f"FAIRWATT_DB_ROLE={named} is no database role. Use web, poster, auditor or migrate."
        )
    return cast(DatabaseRole, named)


def _database(role: DatabaseRole) -> dict[str, Any]:
    server = CONFIG.database()
    user, password = CONFIG.database_login(role=role)
    options: dict[str, Any] = {"application_name": f"fairwatt-{role}"}
    if role == "migrate":
        options["assume_role"] = OWNER_ROLE
    else:
        # A quarter of all processor time was the server planning the same statements again (ADR 23).
        options |= {"server_side_binding": True, "prepare_threshold": 3}
    for pair in filter(None, server.query.split("&")):
        name, _, value = pair.partition("=")
        options[name] = value
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": server.host,
        "PORT": server.port,
        "NAME": server.name,
        "USER": user,
        "PASSWORD": password,
        "OPTIONS": options,
        "CONN_HEALTH_CHECKS": True,
        # Async views release their thread between requests, and with it the connection.
        "CONN_MAX_AGE": 0 if role == "web" else None,
    }


DATABASE_ROLE = _role()
DATABASES = {"default": _database(DATABASE_ROLE)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- sign-in ------------------------------------------------------------------------------------------------

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "fairwatt.server.accounts.InvitedOnly"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Fairwatt"
# Browsers allow passkeys on plain http for localhost only.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS

SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Only https may carry a __Host- cookie; it then cannot be planted by a sibling site.
SESSION_COOKIE_NAME = "__Host-fairwatt" if HTTPS else "fairwatt"
CSRF_COOKIE_NAME = "__Host-fairwatt-csrf" if HTTPS else "fairwatt-csrf"

# --- what a browser may do with our pages -------------------------------------------------------------------

SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "connect-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# TLS ends at a proxy in front, which must set this header itself and drop what a client sends.
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- language, time, files ----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [PACKAGE / "web" / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"  # stored and computed in UTC; a site's own zone is data
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [folder for folder in [PACKAGE / "web" / "static"] if folder.is_dir()]
# Served from where they lie in the package: no collecting step that a start could forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# Nothing here sends mail yet; what would, fails loudly instead of printing to a log.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        # It would write down every address it asks, and one of them carries a secret.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "apprise": {"level": "WARNING"},
    },
}
