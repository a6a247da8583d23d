# syntax=docker/dockerfile:1
# The portal. One image for every role: the command decides (up, web, worker, beat, migrate).

FROM node:24-bookworm-slim AS assets
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /app
COPY requirements-bootstrap.txt requirements.txt ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --require-hashes -r requirements-bootstrap.txt \
 && /opt/venv/bin/uv pip sync --python /opt/venv/bin/python --require-hashes requirements.txt
COPY scripts/vendor_assets.py scripts/
COPY static static/
COPY --from=assets /app/node_modules node_modules/
RUN /opt/venv/bin/python scripts/vendor_assets.py

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin modelyard \
 && install -d -o modelyard -g modelyard /data
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY manage.py LICENSE NOTICE ./
COPY scripts/modelyard_upload.py scripts/verify_audit_export.py scripts/
COPY platform platform/
COPY apps apps/
COPY trainers trainers/
COPY readers readers/
COPY templates templates/
COPY locale locale/
COPY --from=build /app/static static/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app/platform:/app:/app/trainers/sdk \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=modelyard.settings.base \
    MODELYARD_HOME=/data \
    STATIC_ROOT=/app/staticfiles
# Secrets made while collecting go away with the home that holds them.
RUN export MODELYARD_HOME=/tmp/build \
 && python -m compileall -q apps platform readers trainers \
 && python manage.py compile_messages \
 && python manage.py collectstatic --noinput --verbosity 0 \
 && rm -rf /tmp/build \
 && chown -R modelyard:modelyard /app/staticfiles
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["tini", "--", "python", "manage.py"]
CMD ["up", "--host", "0.0.0.0", "--port", "8000"]
