FROM @SLIM@ AS dependencies
COPY @FOLDER@/dependencies.pex /dependencies.pex
RUN PEX_TOOLS=1 python3 /dependencies.pex venv --scope=deps --compile /app

FROM @SLIM@ AS sources
COPY @FOLDER@/sources.pex /sources.pex
RUN PEX_TOOLS=1 python3 /sources.pex venv --scope=srcs --compile /app

FROM @SLIM@
RUN useradd --no-log-init --uid 65532 nonroot
WORKDIR /app
COPY --from=dependencies /app /app
COPY --from=sources /app /app
USER nonroot
EXPOSE 5000
ENTRYPOINT ["/app/bin/python", "-m", "@MODULE@"]
