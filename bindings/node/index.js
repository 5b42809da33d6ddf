'use strict';
const { Producer } = require('./lib/producer');
const { Batch } = require('./lib/batch');
const { KprodError } = require('./lib/errors');

module.exports = { Producer, Batch, KprodError };
