'use strict';
// A consumer group's offsets as the library's structs.

const { address, put64, viewOf } = require('./library');
const { wrong } = require('./errors');

const OFFSET = 64;
const GROUP = 80;
const MOST = 0x7fffffff;

function whole(value, least, most, what) {
  if (typeof value !== 'number') throw wrong(TypeError, what, 'a number');
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw wrong(RangeError, what, `a whole number from ${least} to ${most}`);
}

function text(value, what) {
  if (typeof value !== 'string') throw wrong(TypeError, what, 'a string');
  return value;
}

function textOrNone(value, what) {
  return value === null || value === undefined ? null : text(value, what);
}

function id(value, what) {
  if (text(value, what) === '') throw wrong(RangeError, what, 'a string that is not empty');
  return value;
}

/** What of a group the struct needs. */
function memberOf(group) {
  if (typeof group === 'string') return { groupId: id(group, 'group'), memberId: '', generationId: -1 };
  if (group === null || typeof group !== 'object') throw wrong(TypeError, 'group', 'a string or an object');
  const { groupId, memberId = '', generationId = -1, groupInstanceId } = group;
  return {
    groupId: id(groupId, 'group.groupId'),
    memberId: textOrNone(memberId, 'group.memberId'),
    generationId: whole(generationId, -1, MOST, 'group.generationId'),
    groupInstanceId: textOrNone(groupInstanceId, 'group.groupInstanceId'),
  };
}

function offsetOf(given, what) {
  if (given === null || typeof given !== 'object') throw wrong(TypeError, what, 'an object');
  const { topic, partition, offset, metadata, leaderEpoch = -1 } = given;
  return {
    topic: text(topic, `${what}.topic`),
    partition: whole(partition, 0, MOST, `${what}.partition`),
    offset: whole(offset, 0, Number.MAX_SAFE_INTEGER, `${what}.offset`),
    metadata: textOrNone(metadata, `${what}.metadata`),
    leaderEpoch: whole(leaderEpoch, -1, MOST, `${what}.leaderEpoch`),
  };
}

/** The structs, and the strings that they point to. */
function describe(offsets, group) {
  if (!Array.isArray(offsets)) throw wrong(TypeError, 'offsets', 'an array');
  // Also what an array has left out.
  const described = Array.from(offsets, (given, place) => offsetOf(given, `offsets[${place}]`));
  const { groupId, memberId, generationId, groupInstanceId } = memberOf(group);
  const kept = [];
  const string = (view, at, value) => {
    if (value === null || value === undefined) return put64(view, at + 8, -1);
    const encoded = Buffer.from(value);
    // An empty Buffer may have no address.
    const content = Buffer.alloc(encoded.length + 8);
    encoded.copy(content);
    kept.push(content);
    put64(view, at, address(content));
    return put64(view, at + 8, encoded.length);
  };
  const records = Buffer.alloc(Math.max(described.length, 1) * OFFSET);
  const view = viewOf(records);
  described.forEach(({ topic, partition, offset, metadata, leaderEpoch }, place) => {
    const at = place * OFFSET;
    string(view, at, topic);
    put64(view, at + 16, offset);
    string(view, at + 24, metadata);
    view.setInt32(at + 40, partition, true);
    view.setInt32(at + 44, leaderEpoch, true);
  });
  const member = Buffer.alloc(GROUP);
  const memberView = viewOf(member);
  string(memberView, 0, groupId);
  string(memberView, 16, memberId);
  string(memberView, 32, groupInstanceId);
  memberView.setInt32(48, generationId, true);
  return { records, count: described.length, member, kept };
}

module.exports = { describe };
