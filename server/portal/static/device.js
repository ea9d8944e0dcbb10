// The enterprise's key on this device: made here, kept by the browser, never readable by a page, ours included.

const NAME = "xinyidai";
const STORE = "devices";

/**
 * @typedef {{uscc: string, pair: CryptoKeyPair, chain: Uint8Array[], enclaveRoots: Uint8Array[]}} Device
 * `chain`: the registrar's certificate, leaf first; empty until it is there. `enclaveRoots`: who vouches for enclaves.
 */

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function inStore(mode, work) {
  const opening = indexedDB.open(NAME, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "uscc" });
  const database = await done(opening);
  try {
    return await done(work(database.transaction(STORE, mode, { durability: "strict" }).objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** @param {string} uscc @returns {Promise<Device>} with a new key */
export async function makeDevice(uscc) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const device = { uscc, pair, chain: [], enclaveRoots: [] };
  await keepDevice(device);
  // Else the browser may drop it when the disk is full.
  await navigator.storage?.persist?.();
  return device;
}

/** @param {Device} device */
export function keepDevice(device) {
  return inStore("readwrite", (store) => store.put(device));
}

/** @param {string} uscc @returns {Promise<Device | undefined>} */
export function findDevice(uscc) {
  return inStore("readonly", (store) => store.get(uscc));
}

/** @returns {Promise<Device[]>} */
export function allDevices() {
  return inStore("readonly", (store) => store.getAll());
}
