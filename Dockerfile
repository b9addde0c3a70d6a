# One image for every process of the engine; the command chooses which.
FROM node:24.11.1-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No package's own scripts run here, neither to build nor in the image that ships.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY lua lua
COPY migrations migrations
COPY src src
COPY workers workers
RUN npm run build

FROM node:24.11.1-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --omit=dev

FROM node:24.11.1-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
USER node
EXPOSE 3000
CMD ["node", "--max-semi-space-size=64", "dist/src/api.js"]
