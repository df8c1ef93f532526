FROM @UV@ AS uv

FROM @FULL@ AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_LOCK_TIMEOUT=3600 UV_DEFAULT_INDEX=@INDEX@
WORKDIR /app
RUN uv venv --python /usr/bin/python3 .venv
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=requirements/@SERVICE@/requirements.txt,target=requirements.txt \
    uv pip sync --require-hashes requirements.txt

FROM @SLIM@
RUN useradd --no-log-init --uid 65532 nonroot
WORKDIR /app
COPY --from=build /app/.venv .venv
@SOURCES@
USER nonroot
EXPOSE 5000
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin
ENTRYPOINT ["/app/.venv/bin/python", "-m", "@MODULE@"]
