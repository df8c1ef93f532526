# The classic. The wheels stay in the layer of COPY, though a later layer deletes them.
ARG FULL
ARG SLIM
FROM ${FULL} AS build
WORKDIR /build
COPY requirements.txt .
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    pip wheel --no-cache-dir --require-hashes --requirement requirements.txt --wheel-dir /wheels

FROM ${SLIM}
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --break-system-packages --no-index --find-links=/wheels /wheels/*.whl \
    && rm -rf /wheels
RUN useradd --no-log-init --uid 65532 nonroot
WORKDIR /app
COPY source .
USER nonroot
ENTRYPOINT ["python3", "-m", "@MODULE@"]
