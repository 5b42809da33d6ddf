// libkprod for C++17 and newer: handles that clean up after themselves, views in, results out. Header-only, over
// kprod.h, whose contract holds: who may call what from where, and what each error means.
//
// Whatever can fail gives a kprod::result<T>: test it, or call value(), which throws kprod::exception. Nothing else here
// throws, but std::bad_alloc. Records borrow: what they point to must live until the call that sends them returns.
//
// A callable given to these headers runs on the producer's callback thread. An exception that it lets out goes to
// config::on_exception, and never through C; without that function the first is kept for
// producer::take_callback_exception.
#ifndef KPROD_HPP
#define KPROD_HPP

#include <kprod/batch.hpp>
#include <kprod/config.hpp>
#include <kprod/pack.hpp>
#include <kprod/producer.hpp>
#include <kprod/record.hpp>
#include <kprod/result.hpp>
#include <kprod/transaction.hpp>

#endif
