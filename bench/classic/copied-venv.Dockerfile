# The smallest that a Dockerfile gets without leaving Debian's base: a finished environment is copied, and
# neither the base (SLIM has no pip here) nor the environment holds pip.
ARG FULL
ARG SLIM
FROM ${FULL} AS build
WORKDIR /build
COPY requirements.txt .
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    pip wheel --no-cache-dir --require-hashes --requirement requirements.txt --wheel-dir /wheels
RUN python3 -m venv /app/venv \
    && /app/venv/bin/pip install --no-cache-dir --no-index --find-links=/wheels /wheels/*.whl \
    && /app/venv/bin/pip uninstall --yes pip setuptools

FROM ${SLIM}
COPY --from=build /app/venv /app/venv
RUN useradd --no-log-init --uid 65532 nonroot
WORKDIR /app
COPY source .
USER nonroot
ENTRYPOINT ["/app/venv/bin/python", "-m", "@MODULE@"]
