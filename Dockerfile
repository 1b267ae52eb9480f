# docker build --build-arg GIT_COMMIT=$(git rev-parse HEAD) -t still-here .
# For builds that can be repeated give the image by digest: --build-arg NODE_IMAGE=node:24-slim@sha256:...
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Nothing that the service needs has an install script. The development dependency that brings Node stays out.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
# Nothing is installed at run time, and a package manager is a tool for an intruder.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn*
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json LICENSE ./
COPY migrations migrations
COPY db db
COPY src src
ENV NODE_ENV=production NODE_COMPILE_CACHE=/var/cache/still-here
RUN install -d -o 1000 -g 1000 "$NODE_COMPILE_CACHE"
# By number: `runAsNonRoot` cannot tell who a name is.
USER 1000:1000
# Compiled once, here: a start takes a third less time, and the root file system may be read-only. Without a database the
# service loads all of itself and then refuses its settings, with 78.
RUN node src/server.ts; test $? -eq 78
ARG GIT_COMMIT=
ENV GIT_COMMIT=${GIT_COMMIT}
EXPOSE 3000
# Node itself, and neither npm nor a shell: SIGTERM has to reach the service. Migrations: `node src/migrate.ts`.
CMD ["node", "src/server.ts"]
