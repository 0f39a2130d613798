# syntax=docker/dockerfile:1

# A digest pins the base: --build-arg PYTHON_IMAGE=python:3.13-slim-trixie@sha256:...
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS builder
# With the drivers of PostgreSQL and Redis: --build-arg LOCK=postgres; and with spans: LOCK=otel
ARG LOCK=serve
WORKDIR /src
# Two environments: what builds the wheel stays behind, and so does pip.
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/loansvc
COPY requirements/build.txt requirements/${LOCK}.txt requirements/
# An index or authority of one's own, which stays behind: --secret id=pip.conf,src=/etc/pip.conf
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-certificates.crt,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/build/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: \
        -r requirements/build.txt \
    && /opt/build/bin/python -m pip --python /opt/loansvc/bin/python install --no-cache-dir \
        --require-hashes --only-binary :all: -r "requirements/${LOCK}.txt"
COPY pyproject.toml README.md LICENSE gunicorn.conf.py ./
COPY models/ models/
COPY loansvc/ loansvc/
RUN /opt/build/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation \
        --wheel-dir /wheels . \
    && /opt/build/bin/python -m pip --python /opt/loansvc/bin/python install --no-cache-dir \
        --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 loansvc \
    && useradd --uid 10001 --gid loansvc --no-log-init --no-create-home \
        --home-dir /var/lib/loansvc --shell /usr/sbin/nologin loansvc \
    && install --directory --owner=loansvc --group=loansvc --mode=0700 \
        /var/lib/loansvc /var/backups/loansvc
COPY --from=builder /opt/loansvc /opt/loansvc
ENV LOANSVC_HOME=/var/lib/loansvc \
    PATH=/opt/loansvc/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The root may be read-only: only this volume, that of backups and /dev/shm are written.
VOLUME /var/lib/loansvc
WORKDIR /var/lib/loansvc
USER 10001:10001
EXPOSE 8000
# http.client, because urllib would ask a proxy of the environment for 127.0.0.1.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
# What the service writes, it alone may read; `exec` leaves no shell between it and SIGTERM.
ENTRYPOINT ["/bin/sh", "-c", "umask 0077 && exec \"$@\"", "--"]
CMD ["loansvc", "serve", "--host", "0.0.0.0", "--port", "8000"]
