# The daemon alone, as a numeric user, on a root file system that may be read-only: all it writes is on the one volume.

FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# What is locked comes before the sources, so that a change of these installs no dependency anew.
COPY requirements.txt requirements-dev.txt ./
RUN python -m venv --without-pip /opt/intercomd \
    && python -m pip --python /opt/intercomd install --no-deps --require-hashes --only-binary :all: -r requirements.txt
# The build backend, as the lock pins it, in an environment that stays behind.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.txt > requirements-build.txt \
    && python -m venv --without-pip tools \
    && python -m pip --python tools install --no-deps --require-hashes -r requirements-build.txt
COPY pyproject.toml build_backend.py README.md LICENSE ./
COPY clients/python/ clients/python/
COPY daemon/intercomd_daemon/ daemon/intercomd_daemon/
RUN python -m pip --python tools wheel --no-deps --no-build-isolation --wheel-dir wheels ./clients/python . \
    && python -m pip --python /opt/intercomd install --no-deps --no-index wheels/*.whl

FROM python:3.11-slim-bookworm
COPY --from=build /opt/intercomd /opt/intercomd
RUN install -d -m 0750 -o 10001 -g 10001 /var/lib/intercomd
ENV PATH=/opt/intercomd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    INTERCOMD_INGEST_LISTEN=0.0.0.0:50051 \
    INTERCOMD_HEALTH_LISTEN=0.0.0.0:9092 \
    INTERCOMD_SPOOL_URL=sqlite:/var/lib/intercomd/spool.db
USER 10001:10001
VOLUME ["/var/lib/intercomd"]
EXPOSE 50051 9092
# Not ready while another daemon still holds the spool: spool.lock_wait is 60 s.
HEALTHCHECK --interval=10s --timeout=5s --start-period=70s --retries=3 CMD ["intercomd", "healthcheck"]
# Without a shell in between, so that SIGTERM arrives.
ENTRYPOINT ["intercomd"]
CMD ["run"]
