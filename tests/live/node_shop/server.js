// A small checkout in another language: Node, the official stripe package, PostgreSQL through pg.
//
// RETRY=fresh asks the provider again with another idempotency key after a time-out: the bug under test.
// RETRY=same keeps the key, so the provider charges once.

const http = require("node:http");
const crypto = require("node:crypto");
const { Pool } = require("pg");
const Stripe = require("stripe");

const provider = new URL(process.env.STRIPE_API_BASE);
const stripe = new Stripe(process.env.STRIPE_API_KEY, {
  host: provider.hostname,
  port: provider.port,
  protocol: "http",
  maxNetworkRetries: 0,
  timeout: 1000,
});
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 5 });
pool.on("error", () => {}); // a broken idle connection is replaced by the next query

async function checkout(body) {
  await pool.query("insert into orders (id, amount) values ($1, $2) on conflict do nothing", [body.order_id, body.amount]);
  const intent = await charge(body);
  await pool.query("update orders set status = 'paid', payment_intent = $2 where id = $1", [body.order_id, intent.id]);
  return { status: 201, body: { order_id: body.order_id, payment_intent: intent.id } };
}

async function charge(body) {
  const key = `order-${body.order_id}`;
  const order = {
    amount: body.amount,
    currency: "eur",
    payment_method: "pm_card_visa",
    payment_method_types: ["card"],
    confirm: true,
    metadata: { order_id: body.order_id },
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const suffix = process.env.RETRY === "fresh" ? crypto.randomUUID() : "1";
      return await stripe.paymentIntents.create(order, { idempotencyKey: `${key}-${suffix}` });
    } catch (error) {
      if (attempt === 3 || error.type !== "StripeConnectionError") throw error;
    }
  }
}

const routes = {
  "GET /health": async () => ({ status: 200, body: { up: true } }),
  "POST /checkout": checkout,
  "POST /webhooks": async () => ({ status: 200, body: {} }),
};

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text ? JSON.parse(text) : {};
}

const server = http.createServer(async (request, response) => {
  let answer;
  try {
    const route = routes[`${request.method} ${request.url}`];
    answer = route ? await route(await read(request)) : { status: 404, body: { error: "no such page" } };
  } catch (error) {
    answer = { status: 500, body: { error: error.message } };
  }
  response.writeHead(answer.status, { "content-type": "application/json" });
  response.end(JSON.stringify(answer.body));
});

server.listen(Number(process.env.PORT), "127.0.0.1");
