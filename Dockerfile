# The image of a Stateroom server. Postgres is not in it (the extra `embedded` is left out):
# give it a database by DATABASE_URL, see docker-compose.yml.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
WORKDIR /build
# The compiler stays in this stage. STATEROOM_BUILD=pure needs none and compiles nothing.
ARG STATEROOM_BUILD=native
# hadolint ignore=DL3008
RUN test "$STATEROOM_BUILD" = pure \
    || { apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*; }
COPY constraints.txt ./
RUN python -m venv /opt/stateroom \
    && /opt/stateroom/bin/pip install --no-cache-dir --constraint constraints.txt \
        hatchling mypy setuptools
COPY pyproject.toml hatch_build.py build_native.py README.md LICENSE CHANGELOG.md ./
COPY app app
COPY stateroom stateroom
COPY migrations migrations
# Every dependency comes as a wheel: the final image needs no compiler.
RUN STATEROOM_BUILD="$STATEROOM_BUILD" /opt/stateroom/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && python -m venv --clear /opt/stateroom \
    && /opt/stateroom/bin/pip install --no-cache-dir --only-binary :all: \
        --constraint constraints.txt dist/*.whl \
    && /opt/stateroom/bin/pip uninstall --yes pip

FROM python:${PYTHON_VERSION}-slim-bookworm
LABEL org.opencontainers.image.title="Stateroom" \
      org.opencontainers.image.description="Durable Objects for Python teams, with a TinyBase sync server built in" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 stateroom \
    && useradd --system --uid 10001 --gid stateroom --no-create-home --home-dir /project stateroom \
    && install --directory --owner stateroom --group stateroom /var/lib/stateroom
COPY --from=build /opt/stateroom /opt/stateroom
ENV PATH="/opt/stateroom/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATEROOM_DATA_DIR=/var/lib/stateroom \
    STATEROOM_LOG_FORMAT=json
# Mount or copy your own package here: the working directory is first on the module path.
WORKDIR /project
# The node's id and lock. Kept over a restart, rooms come back without waiting for an old lease.
VOLUME /var/lib/stateroom
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["stateroom"]
CMD ["serve", "--host", "0.0.0.0"]
