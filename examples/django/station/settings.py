"""Settings for development: nothing to configure, and no secret in the repository."""
import os
import secrets

DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
# A new key at each start is right for development; production must bring its own.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or secrets.token_urlsafe(50)
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = ["board"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "station.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
