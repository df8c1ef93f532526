FROM @WHEELS@ AS build
ENV PIP_INDEX_URL=@INDEX@ PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY requirements/@SERVICE@/requirements.txt requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --require-hashes --requirement requirements.txt --wheel-dir /wheels

FROM @SLIM@
RUN useradd --no-log-init --uid 65532 nonroot
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --break-system-packages --root-user-action=ignore --no-index --no-deps /wheels/*.whl
WORKDIR /app
@SOURCES@
USER nonroot
EXPOSE 5000
ENTRYPOINT ["python3", "-m", "@MODULE@"]
