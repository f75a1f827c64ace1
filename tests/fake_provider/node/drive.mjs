// Drives the provider with the official stripe-node SDK, unmodified, and prints what each case saw as one JSON object.
// usage: node drive.mjs http://127.0.0.1:PORT   (run where `stripe` is installed)
import { createServer } from "node:http";
import { once } from "node:events";
import Stripe from "stripe";

const base = new URL(process.argv[2]);
const PAYMENT = { amount: 4200, currency: "eur", payment_method: "pm_card_visa", confirm: true };
const CREATE = "POST /v1/payment_intents";

function sdk(options = {}) {
  const stripe = new Stripe("sk_test_1", { host: base.hostname, port: base.port, protocol: "http", telemetry: false, ...options });
  stripe.getInitialNetworkRetryDelay = () => 0.01; // shorter pauses between retries, nothing else
  return stripe;
}

async function control(method, path, body) {
  const answer = await fetch(new URL(`/_control/${path}`, base), { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

const behave = (name, operation = "*", attempt = 1, parameters = {}) =>
  control("POST", "behaviours", { name, operation, attempt, parameters });

async function charges() {
  return (await control("GET", "ledger")).ledger.filter((row) => row.kind === "charge").length;
}

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return { type: error.type, status: error.statusCode, code: error.code, decline: error.decline_code, message: error.message };
  }
  throw new Error("not refused");
}

const cases = {
  async pays() {
    const stripe = sdk();
    const customer = await stripe.customers.create({ email: "a@example.com" });
    const intent = await stripe.paymentIntents.create({ ...PAYMENT, customer: customer.id, expand: ["latest_charge.balance_transaction"] });
    const refund = await stripe.refunds.create({ payment_intent: intent.id, amount: 200 });
    const events = [];
    for await (const event of stripe.events.list({ limit: 2 })) events.push(event.type);
    const net = intent.latest_charge.balance_transaction.net;
    return { intent: intent.status, net, refund: refund.status, customer: intent.customer, events };
  },
  async holds() {
    const stripe = sdk();
    const held = await stripe.paymentIntents.create({ ...PAYMENT, capture_method: "manual" });
    const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 4000 });
    const again = await refused(stripe.paymentIntents.capture(held.id));
    return { held: held.status, received: captured.amount_received, again: again.code };
  },
  async declines() {
    const found = {};
    for (const card of JSON.parse(process.argv[3])) {
      found[card] = await refused(sdk().paymentIntents.create({ ...PAYMENT, payment_method: `pm_card_${card}` }));
    }
    return found;
  },
  async retries() {
    const found = {};
    for (const fault of ["drop_after", "drop_before", "timeout_after"]) {
      await control("POST", "reset");
      await behave(fault, CREATE);
      const intent = await sdk({ timeout: 500 }).paymentIntents.create(PAYMENT);
      found[fault] = { status: intent.status, charges: await charges() };
    }
    return found;
  },
  async mismatch() {
    const options = { idempotencyKey: "k-1" };
    const first = await sdk().paymentIntents.create(PAYMENT, options);
    const again = await sdk().paymentIntents.create(PAYMENT, options);
    const other = await refused(sdk().paymentIntents.create({ ...PAYMENT, amount: 4300 }, options));
    return { same: first.id === again.id, replayed: again.lastResponse.headers["idempotent-replayed"], other };
  },
  async in_flight() {
    await behave("slow_execute", CREATE, 1, { delay_us: 300_000 });
    const stripe = sdk({ maxNetworkRetries: 0 });
    const options = { idempotencyKey: "k-1" };
    const first = stripe.paymentIntents.create(PAYMENT, options);
    const both = await Promise.allSettled([first, stripe.paymentIntents.create(PAYMENT, options)]);
    const lost = both.find((one) => one.status === "rejected").reason;
    return { paid: both.filter((one) => one.status === "fulfilled").length, status: lost.statusCode, code: lost.code };
  },
  async limits() {
    await behave("rate_limited", CREATE);
    const plain = await refused(sdk().paymentIntents.create(PAYMENT));
    await behave("lock_timeout", CREATE);
    const locked = await sdk().paymentIntents.create(PAYMENT);
    await behave("error_after", CREATE);
    const stored = await refused(sdk().paymentIntents.create(PAYMENT));
    return { plain: plain.type, locked: locked.status, stored: stored.status, charges: await charges() };
  },
  async callbacks() {
    const stripe = sdk();
    const bodies = [];
    const waiting = [];
    const shop = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.end();
      bodies.push([body, request.headers["stripe-signature"]]);
      waiting.shift()?.();
    }).listen(0, "127.0.0.1");
    await once(shop, "listening");
    const url = `http://127.0.0.1:${shop.address().port}/hooks`;
    const endpoint = await stripe.webhookEndpoints.create({ url, enabled_events: ["payment_intent.succeeded"] });
    const next = async () => {
      const came = new Promise((resolve) => waiting.push(resolve));
      await stripe.paymentIntents.create(PAYMENT);
      await came;
      return bodies.pop();
    };
    const [body, signature] = await next();
    const event = stripe.webhooks.constructEvent(body, signature, endpoint.secret);
    const verdicts = {};
    for (const [fault, parameters] of [["signature_stale", { age_s: 301 }], ["signature_forged", {}]]) {
      await behave(fault, "payment_intent.succeeded", 1, parameters);
      const [later, header] = await next();
      try {
        stripe.webhooks.constructEvent(later, header, endpoint.secret);
        verdicts[fault] = "accepted";
      } catch (error) {
        verdicts[fault] = error.message.split(".")[0];
      }
    }
    shop.closeAllConnections();
    shop.close();
    return { type: event.type, verdicts };
  },
};

const seen = {};
for (const [name, run] of Object.entries(cases)) {
  await control("POST", "reset");
  try {
    seen[name] = await run();
  } catch (error) {
    seen[name] = { failed: String(error.stack) };
  }
}
console.log(JSON.stringify(seen));
process.exit(0);
