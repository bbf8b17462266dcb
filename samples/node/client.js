#!/usr/bin/env node
// A client of GrpcRec: what comes next, how likely is each outcome, and how errors read.
//
//   npm ci
//   node client.js localhost:50051 item-1:view item-2:purchase
//   node client.js https://localhost:50052 --ca ca.pem item-1
//   node client.js unix:/run/grpcrec.sock item-1
//   node client.js localhost:50051 --train train.json
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs, promisify } = require('node:util');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const TIMEOUT_MS = 10_000; // every call has a deadline
const inSeconds = milliseconds => ({ deadline: Date.now() + milliseconds });

const definition = loader.loadSync(
  ['grpcrec/v1/recommendation_service.proto', 'grpcrec/v1/training_service.proto', 'error_details.proto'],
  { includeDirs: [path.join(__dirname, '../../protos'), path.join(__dirname, '../protos')], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true },
);
const { RecommendationService, TrainingService } = grpc.loadPackageDefinition(definition).grpcrec.v1;
const decode = (type, bytes) => definition[`grpcrec.samples.${type}`].deserialize(bytes);

function connect(Service, target, ca) {
  if (target.startsWith('https://')) return new Service(target.slice('https://'.length), grpc.credentials.createSsl(ca ? fs.readFileSync(ca) : null));
  return new Service(target.replace(/^http:\/\//, ''), grpc.credentials.createInsecure());
}

// Decodes the google.rpc.Status that every error of the server carries.
function explain(error) {
  console.log(`${grpc.status[error.code]}: ${error.details}`);
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!bytes) return;
  for (const detail of decode('Status', bytes).details) {
    if (detail.type_url.endsWith('/google.rpc.BadRequest'))
      for (const violation of decode('BadRequest', detail.value).field_violations)
        console.log(`  ${violation.field} [${violation.reason}]: ${violation.description}`);
    else if (detail.type_url.endsWith('/google.rpc.ErrorInfo'))
      console.log(`  reason ${decode('ErrorInfo', detail.value).reason}`);
  }
}

function valueOf(prediction) {
  const value = prediction[prediction.value];
  return prediction.value === 'classes' ? `[${value.probabilities.map(p => p.toFixed(3)).join(', ')}]` : value.toFixed(3);
}

async function recommend(client, events) {
  const rank = promisify(client.Rank.bind(client));
  const score = promisify(client.Score.bind(client));
  const user = { sequence: { events } };

  const ranked = await rank({ user, k: 5 }, inSeconds(TIMEOUT_MS));
  console.log(`Rank by ${ranked.model.name} ${ranked.model.version}, ${ranked.reading.events_used} events read`);
  ranked.items.forEach((item, i) => console.log(`  ${i + 1}. ${item.item_id}  ${item.score.toFixed(3)}`));

  const scored = await score({ user, candidate_item_ids: ranked.items.slice(0, 3).map(item => item.item_id) }, inSeconds(TIMEOUT_MS));
  console.log('Score');
  for (const candidate of scored.candidates)
    console.log(`  ${candidate.item_id}  ${candidate.predictions.map(p => `${p.task} ${valueOf(p)}`).join('  ')}`);

  console.log('A deadline that cannot be kept');
  await rank({ user, k: 5 }, inSeconds(-1)).catch(explain);

  console.log('A request with two mistakes');
  await rank({ user: { sequence: { events: [{ item_id: 'x', value: NaN }] } }, k: 0 }, inSeconds(TIMEOUT_MS)).catch(explain);
}

// Prints each message of Train or WatchTraining; the job goes on when the stream is left.
async function follow(stream) {
  for await (const { training: job } of stream) {
    const progress = job.progress ?? { epoch: 0, epochs: 0, loss: 0 };
    console.log(`  ${job.training_id} ${job.state} epoch ${progress.epoch}/${progress.epochs} loss ${progress.loss.toFixed(3)} ${job.error}`);
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { ca: { type: 'string' }, train: { type: 'string' }, watch: { type: 'string' } },
  });
  const [target, ...history] = positionals;
  if (!target) throw new Error('usage: node client.js TARGET [--ca FILE] [--train FILE] [--watch ID] ITEM[:BEHAVIOR]...');
  const events = history.map(event => {
    const [item_id, behavior = ''] = event.split(':');
    return { item_id, behavior };
  });

  const recommender = connect(RecommendationService, target, values.ca);
  const trainer = connect(TrainingService, target, values.ca);
  try {
    if (values.train) {
      console.log('Train');
      await follow(trainer.Train(fromJson(JSON.parse(fs.readFileSync(values.train, 'utf8')))));
    }
    if (values.watch) {
      console.log('WatchTraining');
      await follow(trainer.WatchTraining({ training_id: values.watch }, inSeconds(TIMEOUT_MS)));
    }
    if (events.length > 0) await recommend(recommender, events);
  } catch (error) {
    if (error.code === undefined || grpc.status[error.code] === undefined) throw error;
    explain(error);
    process.exitCode = 1;
  } finally {
    recommender.close();
    trainer.close();
  }
}

// Protobuf's JSON spells names in camelCase; proto-loader, told to keep the case, spells them as the .proto does.
function fromJson(value) {
  if (Array.isArray(value)) return value.map(fromJson);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.replace(/[A-Z]/g, upper => `_${upper.toLowerCase()}`), fromJson(inner)]));
}

main().catch(error => {
  console.error(error.message);
  process.exitCode = 2;
});
