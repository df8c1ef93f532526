# The classic with a bind mount of BuildKit: no layer ever holds a wheel.
ARG FULL
ARG SLIM
FROM ${FULL} AS build
WORKDIR /build
COPY requirements.txt .
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    pip wheel --no-cache-dir --require-hashes --requirement requirements.txt --wheel-dir /wheels

FROM ${SLIM}
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --break-system-packages --no-index --find-links=/wheels /wheels/*.whl
RUN useradd --no-log-init --uid 65532 nonroot
WORKDIR /app
COPY source .
USER nonroot
ENTRYPOINT ["python3", "-m", "@MODULE@"]
